"""Images in memory, one uint8 array a split, and their shuffled, augmented batches of an epoch.

A large array is a memory-mapped file, so that 50,000 images train on the same machine as 500.
"""

from __future__ import annotations

import functools
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

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


class EpochBatches:
    """Shuffled, augmented batches of any epoch, a pure function of (seed, epoch).

    The graph of the augmentation takes longer to trace than a small epoch to train, so epochs share
    the trace of their side.
    """

    def __init__(
        self,
        data: LabelledSet,
        batch_size: int,
        policy: augmentation.Policy,
        seed: int,
        targets: Targets,
    ) -> None:
        """Traces nothing yet; `data` has pixels, uint8 [N, H, H, 3]."""
        self._data, self._batch_size, self._policy = data, batch_size, policy
        self._seed, self._targets = seed, targets
        self._traced: dict[int, Callable[[tf.Tensor, tf.Tensor], Any]] = {}
        self._steps = -(-len(data) // batch_size)

    def epoch(self, number: int, side: int | None = None) -> tf.data.Dataset:
        """One pass.

        Args:
            number: of the epoch.
            side: S, to which augmented images are resized; None: as stored.

        Yields:
            (float32 [n, S, S, 3] in [0, 255], float32 [n, C]).
        """
        side = side or self._data.values.shape[1]
        if side not in self._traced:
            self._traced[side] = self._trace(side)
        batch, epoch = self._traced[side], tf.constant(number, tf.int64)
        return tf_data.untuned(
            tf.data.Dataset.range(self._steps)
            .map(
                tf.autograph.experimental.do_not_convert(lambda step: batch(epoch, step)),
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            .prefetch(2)
            .apply(tf.data.experimental.assert_cardinality(self._steps))
        )

    def _trace(self, trained_side: int) -> Callable[[tf.Tensor, tf.Tensor], Any]:
        """(epoch, step) -> a batch of this side."""
        side = self._data.values.shape[1]
        order = functools.lru_cache(2)(functools.partial(epoch_order, len(self._data), self._seed))

        def gather(epoch: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, ...]:
            start = int(step) * self._batch_size
            rows = order(int(epoch))[start : start + self._batch_size]
            return self._data.values[rows], self._data.labels[rows], self._data.confidence[rows]

        scalar = tf.TensorSpec([], tf.int64)

        @tf.function(input_signature=[scalar, scalar], autograph=False)
        def batch(epoch: tf.Tensor, step: tf.Tensor) -> Any:
            pixels, labels, confidence = tf.numpy_function(
                gather, [epoch, step], [tf.uint8, tf.int64, tf.float32], stateful=False
            )
            pixels = tf.ensure_shape(pixels, [None, side, side, 3])
            labels = tf.ensure_shape(labels, [None])
            confidence = tf.ensure_shape(confidence, [None])
            stream = tf.stack([tf.constant(self._seed, tf.int64), epoch * 1_000_003 + step])
            draws = tf.random.stateless_uniform([tf.shape(pixels)[0], augmentation.DRAWS], stream)
            changed = augmentation.augment(pixels, self._policy, draws)
            if trained_side != side:
                changed = tf.image.resize(changed, [trained_side, trained_side], antialias=True)
            return self._targets.batch(changed, labels, confidence, stream)

        return batch
