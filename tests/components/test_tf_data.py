"""Datasets without autotuning: the wait itself comes by chance, so its cause is looked for."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components import augmentation, tf_data
from components.training import dataset
from components.training.targets import Targets


def test_values_and_their_order_are_the_same_and_nothing_tunes():
    data = tf.data.Dataset.range(100).map(
        lambda n: 2 * n, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    assert data.options().autotune.enabled is not False
    found = tf_data.untuned(data.prefetch(2))
    assert found.options().autotune.enabled is False
    np.testing.assert_array_equal(list(found.as_numpy_iterator()), 2 * np.arange(100))


def test_epochs_of_training_are_not_tuned():
    images = dataset.ImageSet(
        np.zeros((4, 8, 8, 3), np.uint8), np.arange(4) % 2, np.arange(4), np.ones(4, np.float32)
    )
    targets = Targets(0.0, 'none', np.ones(2, np.float32), soft=False)
    policy = augmentation.POLICIES['none']
    found = dataset.training_epoch(images, 2, policy, 0, 1, targets)
    assert found.options().autotune.enabled is False
