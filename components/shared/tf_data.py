"""How many records are read by tf.data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def batches(
    files: str | Sequence[str],
    size: int,
    parse: Callable[[tf.Tensor], Any] | None = None,
    compression: str = 'GZIP',
) -> tf.data.Dataset:
    """TFRecords in batches, in the order of the files; read ahead, and not autotuned.

    Args:
        files: names; one or more.
        size: records of a batch, of which the last may have fewer.
        parse: what to make of a batch, bytes [n]; None: as it is.
        compression: of the files; '' where there is none.
    """
    records = tf.data.TFRecordDataset(files, compression_type=compression).batch(size)
    if parse is not None:
        records = records.map(tf.autograph.experimental.do_not_convert(parse))
    return untuned(records.prefetch(2))


def untuned(data: tf.data.Dataset) -> tf.data.Dataset:
    """The same dataset without autotuning, so that an iterator ends when it is done.

    The thread that tunes sleeps between two looks, twice as long each time and up to a minute, and
    in TensorFlow 2.21 an iterator that is dropped waits for it while nothing is computed
    (`RootDataset::Iterator::~Iterator`, seen by py-spy): epochs of 50 s took 86 s. What is
    `tf.data.AUTOTUNE` without it is the number of cores, at most 16.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)
