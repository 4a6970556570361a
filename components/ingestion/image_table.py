"""The table of all images of an ingestion, beside the splits of its Examples.

One small Parquet file, `images.parquet`, a row for each image that was written:

| column   | type                                                        |
|----------|-------------------------------------------------------------|
| image_id | string, first 32 hex digits of the SHA-256 of its bytes     |
| path     | string, relative to the source                              |
| group    | string, which is never split; by default the id of the image |
| split    | string                                                      |
| label    | string, name of the class; null for an unlabelled image     |
"""

from __future__ import annotations

import os

import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from thawline.components.ingestion import examples

PREFIX, SUFFIX = 'images', '.parquet'
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ('image_id', 'path', 'group', 'split', 'label')]
)


def row(example: tf.train.Example) -> dict[str, str | None]:
    """The row of an image, from its example with the split."""
    return {name: examples.text(example, name) for name in SCHEMA.names}


def read(uri: str) -> pa.Table | None:
    """The images of the Examples at `uri`; None where there is no table, as in older ones."""
    try:
        with tf.io.gfile.GFile(os.path.join(uri, PREFIX + SUFFIX), 'rb') as file:
            return pq.read_table(pa.BufferReader(file.read()), schema=SCHEMA)
    except (tf.errors.NotFoundError, pa.ArrowInvalid):
        return None
