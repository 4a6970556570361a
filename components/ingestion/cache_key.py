"""What the cache key of an ingestion is made of, for a reader without TFX's start-up time."""

from __future__ import annotations

from collections.abc import Mapping

from thawline.components.ingestion.params import Split
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.shared import code_digest, property_names

_EXECUTOR = 'thawline.components.ingestion.executor'


def parameters(
    source: SourceSpec, split: Split, max_side: int, max_pixels: int
) -> dict[str, str | int]:
    """ImageExampleGen's parameters, as its executions record them."""
    return {
        property_names.SOURCE_SPEC: source.to_json(),
        property_names.SPLIT: split.model_dump_json(),
        property_names.MAX_SIDE: max_side,
        property_names.MAX_PIXELS: max_pixels,
    }


def execution_properties(
    parameters: Mapping[str, str | int], fingerprint: str
) -> dict[str, str | int]:
    """These, and what the component and its driver add: code, libraries, state of the source.

    The splits that images keep are left out: for the same of all these they are always the same.
    """
    return {
        **parameters,
        **code_digest.key_properties(_EXECUTOR),
        property_names.SOURCE_FINGERPRINT: fingerprint,
    }
