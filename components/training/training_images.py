"""Images in memory, one uint8 array a split, and their shuffled, augmented batches of an epoch.

A large array is a memory-mapped file, so that 50,000 images train on the same machine as 500.
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

# More bytes go to a file; the page cache then decides what stays in memory.
IN_MEMORY_BYTES = 4 * 2**30


def allocate(
    shape: tuple[int, ...],
    spool: pathlib.Path | None,
    in_memory_bytes: int = IN_MEMORY_BYTES,
    dtype: type[np.generic] = np.uint8,
) -> np.ndarray:
    """An array to fill: in memory, or in the file `spool` if it is too large."""
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
        size: side of the images, in pixels.
        spool: file for the pixels if they exceed `in_memory_bytes`.
        in_memory_bytes: for pixels.
    """
    files = sorted(f for pattern in patterns for f in tf.io.gfile.glob(pattern))
    return labelled_set.sort_by_id(
        list(examples.read_keys(files)),
        lambda n: allocate((n, size, size, 3), spool, in_memory_bytes),
        examples.read_pixels(files, size),
    )


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """The shuffled rows of n images in an epoch: int64 [n]."""
    return np.random.default_rng([seed, epoch]).permutation(n)


def epoch_batches(
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
        trained_side: side S to which augmented images are resized; None: as stored.

    Yields:
        (float32 [n, S, S, 3] in [0, 255], float32 [n, C]).
    """
    order = epoch_order(len(data), seed, epoch)
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
