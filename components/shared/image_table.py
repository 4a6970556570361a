"""The table of all images of an ingestion, beside the splits of its Examples.

Read without TensorFlow, by commands too.

One small Parquet file, `images.parquet`, a row for each image that was written:

| column   | type                                                        |
|----------|-------------------------------------------------------------|
| image_id | string, first 32 hex digits of the SHA-256 of its bytes     |
| path     | string, relative to the source                              |
| group    | string, which is never split; by default the id of the image |
| split    | string                                                      |
| label    | string, name of the class; null for an unlabelled image     |
| cluster  | string, of groups that share a copy or near-duplicates; null in older ones |
| source_label | string, class by the source where a correction gave the image another, else null |
| fold     | int64; null without folds, in test, and in older tables     |
"""

from __future__ import annotations

import os

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

PREFIX, SUFFIX = 'images', '.parquet'
SOURCE_LABEL, FOLD = 'source_label', 'fold'
_TEXTS = 'image_id', 'path', 'group', 'split', 'label', 'cluster', SOURCE_LABEL
SCHEMA = pa.schema([*((name, pa.string()) for name in _TEXTS), (FOLD, pa.int64())])


def read(uri: str) -> pa.Table | None:
    """The images of the Examples at `uri`; None where there is no table, as in older ones."""
    try:
        return pq.read_table(os.path.join(uri, PREFIX + SUFFIX), schema=SCHEMA)
    except (FileNotFoundError, pa.ArrowInvalid):
        return None


def count_corrected(images: pa.Table) -> dict[str, int]:
    """How many images a split have another class than by the source, where any have."""
    splits = images.filter(pc.is_valid(images[SOURCE_LABEL]))['split']
    return {pair['values']: pair['counts'] for pair in splits.value_counts().to_pylist()}
