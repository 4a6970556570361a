"""Ingestions of earlier runs: were their images, and what was done to them, those of today?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ml_metadata as mlmd

from thawline.components.bulk_prediction import listing as to_predict
from thawline.components.ingestion import cache_key, sources
from thawline.components.ingestion import fingerprint as fingerprint_lib
from thawline.components.ingestion.fingerprint import ContentDigests
from thawline.components.shared import lineage
from thawline.components.shared.node_names import IMAGE_EXAMPLE_GEN, UNLABELLED_EXAMPLE_GEN
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
    parameters = cache_key.parameters(spec, data.split, data.max_side, data.max_pixels)
    return cache_key.execution_properties(parameters, _images_fingerprint(project))


def source_fingerprints(project: Project) -> dict[str, str]:
    """Of the sources as they are now, by the node that reads them.

    Raises:
        ConfigError, DataError: a source cannot be listed.
    """
    fingerprints = {IMAGE_EXAMPLE_GEN: _images_fingerprint(project)}
    if (bulk := project.config.serving.bulk) is not None:
        unlabelled = to_predict.of_sources([project.bulk_source(bulk)], project.config.data.columns)
        digests = ContentDigests(project.artifacts / UNLABELLED_EXAMPLE_GEN)
        fingerprints[UNLABELLED_EXAMPLE_GEN] = fingerprint_lib.fingerprint(
            to_predict.to_ingest(unlabelled), digests
        )
    return fingerprints


def _images_fingerprint(project: Project) -> str:
    listing = sources.list_source(project.source_spec())
    digests = ContentDigests(project.artifacts / IMAGE_EXAMPLE_GEN)
    return fingerprint_lib.fingerprint(listing, digests)


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
