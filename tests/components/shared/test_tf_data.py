"""Datasets without autotuning: the wait itself comes by chance, so its cause is looked for."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from thawline.components import augmentation
from thawline.components.shared import tf_data
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import training_images
from thawline.components.training.targets import Targets


def test_values_and_their_order_are_the_same_and_nothing_tunes():
    data = tf.data.Dataset.range(100).map(
        lambda n: 2 * n, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    assert data.options().autotune.enabled is not False
    found = tf_data.untuned(data.prefetch(2))
    assert found.options().autotune.enabled is False
    np.testing.assert_array_equal(list(found.as_numpy_iterator()), 2 * np.arange(100))


def test_batches_of_records_keep_their_order_over_files_and_are_not_tuned(tmp_path):
    files = []
    for name, values in (('a', range(5)), ('b', range(5, 8))):
        files.append(str(tmp_path / name))
        with tf.io.TFRecordWriter(files[-1], 'GZIP') as writer:
            for value in values:
                writer.write(str(value).encode())
    found = tf_data.batches(files, 3)
    assert found.options().autotune.enabled is False
    assert [list(batch) for batch in found.as_numpy_iterator()] == [
        [b'0', b'1', b'2'], [b'3', b'4', b'5'], [b'6', b'7'],
    ]  # fmt: skip
    numbers = tf_data.batches(files[1], 2, lambda batch: tf.strings.to_number(batch, tf.int64))
    assert [list(batch) for batch in numbers.as_numpy_iterator()] == [[5, 6], [7]]


def test_epochs_of_training_are_not_tuned():
    images = LabelledSet(
        np.zeros((4, 8, 8, 3), np.uint8), np.arange(4) % 2, np.arange(4), np.ones(4, np.float32)
    )
    targets = Targets(0.0, 'none', np.ones(2, np.float32), soft=False)
    policy = augmentation.POLICIES['none']
    batches = training_images.EpochBatches(images, 2, policy, 0, targets)
    assert batches.epoch(1).options().autotune.enabled is False
