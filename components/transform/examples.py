"""The tf.Examples that Transform writes, as gzipped TFRecords, read a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from thawline.components.shared import tf_data
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.transform import preprocessing

BATCH = 64
_SCHEMA = {
    preprocessing.PIXELS: tf.io.FixedLenFeature([], tf.string),
    preprocessing.LABEL_INDEX: tf.io.FixedLenFeature([], tf.int64),
    preprocessing.IMAGE_ID: tf.io.FixedLenFeature([], tf.string),
    preprocessing.LABEL_CONFIDENCE: tf.io.FixedLenFeature([], tf.float32, 1.0),
}
_KEYS = (preprocessing.LABEL_INDEX, preprocessing.IMAGE_ID, preprocessing.LABEL_CONFIDENCE)


def read(files: str | Sequence[str], size: int) -> Iterator[LabelledSet]:
    """Images; `size` is the side of their pixels."""
    names = (preprocessing.PIXELS, *_KEYS)
    for batch in _batches(files, names, size).as_numpy_iterator():
        yield LabelledSet(*batch)


def read_pixels(files: str | Sequence[str], size: int) -> Iterator[np.ndarray]:
    """Pixels alone: uint8 [n, size, size, 3]."""
    for (pixels,) in _batches(files, (preprocessing.PIXELS,), size).as_numpy_iterator():
        yield pixels


def read_keys(files: str | Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Labels, ids and confidence alone."""
    yield from _batches(files, _KEYS).as_numpy_iterator()


def _batches(files: str | Sequence[str], names: Sequence[str], size: int = 0) -> tf.data.Dataset:
    schema = {name: _SCHEMA[name] for name in names}

    def parse(examples: tf.Tensor) -> tuple[tf.Tensor, ...]:
        features = tf.io.parse_example(examples, schema)
        if preprocessing.PIXELS in features:
            pixels = preprocessing.unpack(features[preprocessing.PIXELS], size)
            features[preprocessing.PIXELS] = pixels
        return tuple(features[name] for name in names)

    return tf_data.batches(files, BATCH, parse)
