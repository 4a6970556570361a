"""Every base with its real ImageNet weights, where they are at hand; the others say so.

What is tested elsewhere with random weights (loading, shapes, freezing) holds for real ones only if
the scaling is the one that they were trained with: a wrong one changes no shape.
"""

from __future__ import annotations

import pathlib

import keras
import numpy as np
import pytest

from tests.shared import SHARED
from thawline.components import backbones
from thawline.components.backbones import registry

SIZE = 96
APPLICATIONS = {
    'mobilenet_v2': ('MobileNetV2', keras.applications.mobilenet_v2),
    'mobilenet_v2_035': ('MobileNetV2', keras.applications.mobilenet_v2),
    'resnet50': ('ResNet50', keras.applications.resnet50),
    'resnet50_v2': ('ResNet50V2', keras.applications.resnet_v2),
    'efficientnet_v2_b0': ('EfficientNetV2B0', keras.applications.efficientnet_v2),
    'efficientnet_b0': ('EfficientNetB0', keras.applications.efficientnet),
    'mobilenet_v3_large': ('MobileNetV3Large', keras.applications.mobilenet_v3),
    'convnext_tiny': ('ConvNeXtTiny', keras.applications.convnext),
}
OTHER_WIDTH = {'mobilenet_v2_035': {'alpha': 0.35}}


def imagenet_weights(name: str) -> str:
    """'imagenet' where Keras has them, or a shared file; skips the test where there is neither."""
    cached = backbones.entry(name).cached_imagenet_file(SIZE)
    assert cached is not None
    if cached.is_file():
        return 'imagenet'
    shared = SHARED / 'weights' / cached.name.replace(f'_{SIZE}_', '_224_')
    if shared.is_file():
        return str(shared)
    pytest.skip(f'the ImageNet weights of {name} are not here, so nothing has tried them: {cached}')


def test_every_base_that_keras_has_weights_of_is_listed() -> None:
    listed = {n for n in registry.names() if 'imagenet' in backbones.entry(n).weights}
    assert APPLICATIONS.keys() == listed


@pytest.mark.parametrize('name', APPLICATIONS)
def test_features_are_those_of_keras(name: str) -> None:
    weights = imagenet_weights(name)
    constructor, module = APPLICATIONS[name]
    plain = getattr(keras.applications, constructor)(
        weights=weights,
        include_top=False,
        input_shape=(SIZE, SIZE, 3),
        **OTHER_WIDTH.get(name, {}),
    )
    backbone = backbones.build(name, SIZE, weights)
    images = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
    expected = plain(module.preprocess_input(images.astype(np.float32)))
    features = backbone.model(images, training=False)
    # x * (1 / 127.5) - 1 and x / 127.5 - 1 differ in the last bit
    np.testing.assert_allclose(features, expected, atol=1e-3 * np.abs(expected).max())
    if weights != 'imagenet':
        sums = pathlib.Path(weights).with_name('SHA256SUMS').read_text('utf-8')
        assert backbone.weights_digest in sums
