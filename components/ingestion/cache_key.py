"""What the cache key of an ingestion is made of, for a reader without TFX's start-up time."""

from __future__ import annotations

import json
from collections.abc import Mapping

from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.shared import code_digest, property_names
from thawline.components.shared.splits import SPLITS

_EXECUTOR = 'thawline.components.ingestion.executor'


def parameters(
    source: SourceSpec, fractions: Mapping[str, float], seed: int, max_side: int, max_pixels: int
) -> dict[str, str | int]:
    """ImageExampleGen's parameters, as its executions record them."""
    return {
        property_names.SOURCE_SPEC: source.to_json(),
        property_names.FRACTIONS: json.dumps({split: fractions[split] for split in SPLITS}),
        property_names.SEED: seed,
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
