"""Images as the recipe sees them: one uint8 array a split, decoded and resized once.

The array lives in memory while it is small against what the machine has, else in a memory-mapped
file, so that 50,000 images train on the same machine as 500.
"""

from __future__ import annotations

import math
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from thawline.components import augmentation
from thawline.components.shared import labelled_set, tf_data
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training.targets import Targets
from thawline.components.transform import examples

# Pixels above this many bytes go to a file; the page cache then decides what stays in memory.
IN_MEMORY_BYTES = 4 * 2**30


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


def load(
    patterns: Sequence[str],
    size: int,
    spool: pathlib.Path | None = None,
    in_memory_bytes: int = IN_MEMORY_BYTES,
) -> LabelledSet:
    """Reads one split of transformed, gzipped TFRecords.

    Args:
        patterns: file patterns of the split.
        size: side of the pixels.
        spool: where to keep the pixels when they are too many for memory.
        in_memory_bytes: how many bytes of pixels are not too many.
    """
    files = sorted(f for pattern in patterns for f in tf.io.gfile.glob(pattern))
    return labelled_set.sort_by_id(
        list(examples.read_keys(files)),
        lambda n: empty((n, size, size, 3), spool, in_memory_bytes),
        examples.read_pixels(files, size),
    )


def shuffled(n: int, seed: int, epoch: int) -> np.ndarray:
    """The rows of n images in the order in which an epoch takes them: int64 [n]."""
    return np.random.default_rng([seed, epoch]).permutation(n)


def training_epoch(
    data: LabelledSet,
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
    side = data.values.shape[1]

    def gather(step: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = order[step * batch_size : (step + 1) * batch_size]
        return data.values[rows], data.labels[rows], data.confidence[rows]

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
