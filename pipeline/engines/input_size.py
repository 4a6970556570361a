"""How much work a node has: the megabytes that it reads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared import property_names
from thawline.components.shared.errors import UserError

_MB = 1e6
_TABLE_ALONE = 'seen_examples'  # inputs of the Evaluator
_SAMPLE = 50  # images whose size is looked up
_DEFAULT_SIZE = 0.1 * _MB  # of an image whose size cannot be looked up


def of_node(execution_info: Any) -> float:
    """Megabytes of a node's input artifacts, or of the source that it ingests.

    Models do not count: each worker reads them whole. Nor do Examples of which only the table is
    read.
    """
    properties = execution_info.exec_properties
    if property_names.SOURCE_SPEC in properties:
        return of_source(SourceSpec.from_json(str(properties[property_names.SOURCE_SPEC])))
    uris = [
        artifact.uri
        for name, artifacts in execution_info.input_dict.items()
        for artifact in artifacts
        if artifact.type_name in ('Examples', 'Embeddings') and not name.endswith(_TABLE_ALONE)
    ]
    return sum(_size(path) for uri in uris for path in _files(uri)) / _MB


def of_source(spec: SourceSpec) -> float:
    """Megabytes of a source, from the sizes of some of its images."""
    try:
        listing = list_source(spec)
    except UserError:
        return 0.0  # the executor reports what is wrong with it
    files = [file.path for file in listing.record_files]
    return of_files(files or [item.path for item in listing.items])


def of_files(paths: Sequence[str]) -> float:
    """Megabytes of files, from the sizes of some of them."""
    sizes = [_size(path) for path in paths[:: max(1, len(paths) // _SAMPLE)]]
    return len(paths) * (sum(sizes) / len(sizes) if sizes else 0.0) / _MB


def _files(uri: str) -> Iterator[str]:
    for folder, _, names in tf.io.gfile.walk(uri):
        yield from (os.path.join(folder, name) for name in names)


def _size(path: str) -> float:
    try:
        return float(tf.io.gfile.stat(path).length)
    except tf.errors.OpError:
        return _DEFAULT_SIZE
