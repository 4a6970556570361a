"""Ingestions of earlier runs: were their images, and what was done to them, those of today?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ml_metadata as mlmd

from thawline.components.ingestion import cache_key, sources
from thawline.components.shared import lineage
from thawline.components.shared.property_names import SOURCE_FINGERPRINT
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import runs
from thawline.pipeline.metadata.runs import Output

Properties = Mapping[str, str | int]


def expected_properties(project: Project) -> Properties:
    """The properties of an execution that ingests the images as they are now.

    They are what TFX's cache compares, without the start-up time of TFX.

    Raises:
        ConfigError, DataError: the source cannot be listed.
    """
    spec, data = project.source_spec(), project.config.data
    parameters = cache_key.parameters(
        spec, data.split.fractions, data.split.seed, data.max_side, data.max_pixels
    )
    return cache_key.execution_properties(parameters, sources.list_source(spec).fingerprint)


def has_properties(store: mlmd.MetadataStore, examples: Output, expected: Properties) -> bool:
    """Whether an ingestion made these examples that had these properties."""
    return expected.items() <= _properties(store, examples).items()


def fingerprint(store: mlmd.MetadataStore, examples: Output) -> str:
    """Of the source when these examples were made; empty where it is not recorded."""
    return str(_properties(store, examples).get(SOURCE_FINGERPRINT, ''))


def _properties(store: mlmd.MetadataStore, examples: Output) -> dict[str, Any]:
    """Of the execution that made them; one that took them from the cache has none of these."""
    ingestion = next(iter(lineage.producers(store, [examples.id])), None)
    return runs.properties(ingestion) if ingestion else {}
