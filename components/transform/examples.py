"""The tf.Examples that Transform writes, as gzipped TFRecords, read a batch at a time."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from thawline.components.shared import tf_data
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.transform import preprocessing

BATCH = 64
_SCHEMA = {
    preprocessing.PIXELS: tf.io.FixedLenFeature([], tf.string),
    preprocessing.PIXELS_DIGEST: tf.io.FixedLenFeature([], tf.string),
    preprocessing.LABEL_INDEX: tf.io.FixedLenFeature([], tf.int64),
    preprocessing.IMAGE_ID: tf.io.FixedLenFeature([], tf.string),
    preprocessing.LABEL_CONFIDENCE: tf.io.FixedLenFeature([], tf.float32, 1.0),
}
_KEYS = (preprocessing.LABEL_INDEX, preprocessing.IMAGE_ID, preprocessing.LABEL_CONFIDENCE)


@dataclasses.dataclass(frozen=True)
class PackedBatch:
    """Some images whose pixels are unpacked where they are wanted.

    Attributes:
        digests: of the pixels, bytes [n].
        labels, ids, confidence: as of `LabelledSet`.
        serialized: the examples, bytes [n], where TensorFlow has them.
        size: side of the images.
    """

    digests: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    confidence: np.ndarray
    serialized: tf.Tensor
    size: int

    def pixels(self, rows: Sequence[int]) -> np.ndarray:
        """Of some rows: uint8 [r, size, size, 3]."""
        some = tf.gather(self.serialized, tf.constant(rows, tf.int32))
        return np.asarray(_unpacking(self.size)(some).numpy())

    def take(self, rows: Sequence[int], values: np.ndarray) -> LabelledSet:
        """Some rows, with values of these."""
        at = np.array(rows, int)
        return LabelledSet(values, self.labels[at], self.ids[at], self.confidence[at])


def read_packed(files: str | Sequence[str], size: int) -> Iterator[PackedBatch]:
    """Images whose pixels stay packed; `size` is the side of these."""
    schema = {name: _SCHEMA[name] for name in (preprocessing.PIXELS_DIGEST, *_KEYS)}

    def parse(examples: tf.Tensor) -> tuple[tf.Tensor, ...]:
        features = tf.io.parse_example(examples, schema)
        return (examples, *(features[name] for name in schema))

    for examples, *columns in tf_data.batches(files, BATCH, parse):
        digests, labels, ids, confidence = (column.numpy() for column in columns)
        yield PackedBatch(digests, labels, ids, confidence, examples, size)


@functools.lru_cache(maxsize=8)
def _unpacking(size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Examples -> their pixels; one trace for all files."""
    schema = {preprocessing.PIXELS: _SCHEMA[preprocessing.PIXELS]}

    def unpack(examples: tf.Tensor) -> tf.Tensor:
        packed = tf.io.parse_example(examples, schema)[preprocessing.PIXELS]
        return preprocessing.unpack(packed, size)

    return tf.function(unpack, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)


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
