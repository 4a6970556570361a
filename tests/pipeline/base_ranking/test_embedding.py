"""Features and their cost, with a real base on random weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from thawline.components import backbones
from thawline.pipeline.base_ranking import embedding


@pytest.fixture(scope='module')
def base() -> backbones.Backbone:
    keras.utils.set_random_seed(0)
    return backbones.build('mobilenet_v2_035', 32, 'random')


def test_features_are_the_pooled_output_in_order(base):
    images = np.random.default_rng(0).integers(0, 256, (70, 32, 32, 3), dtype=np.uint8)
    features, cost = embedding.embed(base, images)
    maps = base.model(images.astype(np.float32), training=False).numpy()
    assert features.shape == (70, 1280) and features.dtype == np.float32
    np.testing.assert_allclose(features, maps.mean(axis=(1, 2)), rtol=1e-3, atol=1e-6 * maps.max())
    assert cost.parameters == 410_208
    assert cost.megabytes == pytest.approx(4 * 410_208 / 1e6)
    assert 0 < cost.milliseconds < 1000


def test_fewer_images_than_a_batch_are_timed_too(base):
    features, cost = embedding.embed(base, np.zeros((3, 32, 32, 3), np.uint8))
    assert len(features) == 3 and cost.milliseconds > 0
