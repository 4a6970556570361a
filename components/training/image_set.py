"""Images as the recipe sees them: one uint8 array a split, decoded and resized once.

The array lives in memory while it is small against what the machine has, else in a memory-mapped
file, so that 50,000 images train on the same machine as 500.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from thawline.components import augmentation
from thawline.components.shared import tf_data
from thawline.components.training.targets import Targets
from thawline.components.transform import preprocessing

# Pixels above this many bytes go to a file; the page cache then decides what stays in memory.
IN_MEMORY_BYTES = 4 * 2**30


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """One split, ordered by image id so that the order does not depend on how files were written.

    Attributes:
        pixels: uint8 [N, H, W, 3].
        labels: int64 [N], positions in the class list; -1 for a class that training never saw.
        ids: the image ids, [N].
        confidence: float32 [N] in (0, 1]; probability that the label is right. All 1 by default.
    """

    pixels: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    confidence: np.ndarray = dataclasses.field(default_factory=lambda: np.ones((), np.float32))

    def __post_init__(self) -> None:
        # One number for all images becomes one for each.
        each = np.broadcast_to(self.confidence, self.labels.shape)
        object.__setattr__(self, 'confidence', each)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> ImageSet:
        """The given rows as a set of its own."""
        return ImageSet(self.pixels[rows], self.labels[rows], self.ids[rows], self.confidence[rows])


def empty(
    shape: tuple[int, ...],
    spool: pathlib.Path | None,
    in_memory_bytes: int = IN_MEMORY_BYTES,
    dtype: type[np.generic] = np.uint8,
) -> np.ndarray:
    """An array to be filled: in memory, or in the file `spool` where it is too large for that."""
    if spool is None or math.prod(shape) * np.dtype(dtype).itemsize <= in_memory_bytes:
        return np.empty(shape, dtype)
    spool.parent.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(spool, mode='w+', dtype=dtype, shape=shape)


_SCHEMA = {
    preprocessing.PIXELS: tf.io.FixedLenFeature([], tf.string),
    preprocessing.LABEL_INDEX: tf.io.FixedLenFeature([], tf.int64),
    preprocessing.IMAGE_ID: tf.io.FixedLenFeature([], tf.string),
    preprocessing.LABEL_CONFIDENCE: tf.io.FixedLenFeature([], tf.float32, 1.0),
}


def _parsed(patterns: Sequence[str], *names: str) -> tf.data.Dataset:
    """Batches of the named features of all transformed tf.Examples, each [n]."""
    files = sorted(f for pattern in patterns for f in tf.io.gfile.glob(pattern))
    wanted = {name: _SCHEMA[name] for name in names}

    def parse(examples: tf.Tensor) -> tuple[tf.Tensor, ...]:
        features = tf.io.parse_example(examples, wanted)
        return tuple(features[name] for name in names)

    return tf_data.batches(files, 64, parse)


def load(
    patterns: Sequence[str],
    size: int,
    spool: pathlib.Path | None = None,
    in_memory_bytes: int = IN_MEMORY_BYTES,
) -> ImageSet:
    """Reads one split of transformed, gzipped TFRecords.

    Two passes: the first learns how many images there are and their order, so that the second can
    write each image to its place and no copy of all pixels is ever needed.

    Args:
        patterns: file patterns of the split.
        size: side of the pixels.
        spool: where to keep the pixels when they are too many for memory.
        in_memory_bytes: how many bytes of pixels are not too many.
    """
    names = preprocessing.LABEL_INDEX, preprocessing.IMAGE_ID, preprocessing.LABEL_CONFIDENCE
    keys = list(_parsed(patterns, *names).as_numpy_iterator())
    labels = np.concatenate([np.empty(0, np.int64), *(y for y, _, _ in keys)])
    ids = np.concatenate([np.empty(0, object), *(i for _, i, _ in keys)])
    confidence = np.concatenate([np.empty(0, np.float32), *(c for _, _, c in keys)])
    order = np.argsort(ids, kind='stable')
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    pixels = empty((len(ids), size, size, 3), spool, in_memory_bytes)
    unpacked = _parsed(patterns, preprocessing.PIXELS).map(
        lambda packed: preprocessing.unpack(packed, size)
    )
    done = 0
    for batch in unpacked.as_numpy_iterator():
        pixels[place[done : done + len(batch)]] = batch
        done += len(batch)
    return ImageSet(pixels, labels[order], ids[order], confidence[order])


def shuffled(n: int, seed: int, epoch: int) -> np.ndarray:
    """The rows of n images in the order in which an epoch takes them: int64 [n]."""
    return np.random.default_rng([seed, epoch]).permutation(n)


def training_epoch(
    data: ImageSet,
    batch_size: int,
    policy: augmentation.Policy,
    seed: int,
    epoch: int,
    targets: Targets,
    trained_side: int | None = None,
) -> tf.data.Dataset:
    """One pass of shuffled, augmented batches, a pure function of (seed, epoch).

    Args:
        trained_side: side S to which images are resized after they were augmented; None: as stored.

    Yields:
        (float32 [n, S, S, 3] in [0, 255], float32 [n, C]).
    """
    order = shuffled(len(data), seed, epoch)
    side = data.pixels.shape[1]

    def gather(step: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = order[step * batch_size : (step + 1) * batch_size]
        return data.pixels[rows], data.labels[rows], data.confidence[rows]

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, labels, confidence = tf.numpy_function(
            gather, [step], [tf.uint8, tf.int64, tf.float32], stateful=False
        )
        pixels = tf.ensure_shape(pixels, [None, side, side, 3])
        labels, confidence = tf.ensure_shape(labels, [None]), tf.ensure_shape(confidence, [None])
        stream = tf.stack([tf.constant(seed, tf.int64), epoch * 1_000_003 + step])
        n = tf.shape(pixels)[0]
        draws = tf.random.stateless_uniform([n, augmentation.DRAWS], stream)
        changed = augmentation.augment(pixels, policy, draws)
        if trained_side not in (None, side):
            changed = tf.image.resize(changed, [trained_side, trained_side], antialias=True)
        return targets.batch(changed, labels, confidence, stream)

    steps = -(-len(data) // batch_size)
    return tf_data.untuned(
        tf.data.Dataset.range(steps)
        .map(batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .prefetch(2)
        .apply(tf.data.experimental.assert_cardinality(steps))
    )
