"""What datasets of tf.data that read many records are given before they are read."""

from __future__ import annotations

import tensorflow as tf


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
