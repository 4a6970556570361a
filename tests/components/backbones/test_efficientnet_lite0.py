"""EfficientNet-Lite0: the packaged weights in our architecture recognise real photographs."""

from __future__ import annotations

import functools
import pathlib

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from thawline.components import backbones
from thawline.components.backbones import efficientnet_lite0, package_weights, torch_checkpoint
from thawline.components.shared.errors import ConfigError


@functools.cache
def packaged() -> dict[str, np.ndarray]:
    return torch_checkpoint.read_tensors(package_weights.verified_path())


@functools.cache
def classifier(scaling: str = efficientnet_lite0.NATIVE_SCALING) -> keras.Model:
    model = efficientnet_lite0.construct(
        keras.Input((224, 224, 3)), include_top=True, scaling=scaling
    )
    efficientnet_lite0.assign_torch_tensors(model, packaged(), 'the package')
    return model


def photograph(name: str) -> np.ndarray:
    """[1, 224, 224, 3] uint8: the middle square, 7/8 of the shorter side."""
    image = Image.fromarray(load_sample_image(name))
    side = min(image.size) * 7 // 8
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((224, 224), Image.Resampling.BILINEAR))[None]


@pytest.mark.parametrize(('name', 'label'), [('china.jpg', 698), ('flower.jpg', 985)])
def test_names_photographs(name: str, label: int) -> None:
    probabilities = keras.ops.convert_to_numpy(classifier()(photograph(name), training=False))[0]
    assert probabilities.argmax() == label
    assert probabilities[label] > 0.25
    np.testing.assert_allclose(probabilities.sum(), 1, atol=1e-5)


def test_backbone_is_the_classifier_without_its_top() -> None:
    backbone = backbones.build('efficientnet_lite0', 224, 'package')
    whole = classifier()
    features = keras.Model(whole.input, whole.get_layer('top_relu6').output)
    images = photograph('china.jpg')
    np.testing.assert_array_equal(
        backbone.model(images, training=False), features(images, training=False)
    )
    assert backbone.weights_digest == package_weights.SHA256
    assert package_weights.DISTRIBUTION in backbone.weights_source


def test_a_checkpoint_file_loads_like_the_package() -> None:
    path = package_weights.verified_path()
    backbone = backbones.build('efficientnet_lite0', 64, str(path))
    assert backbone.weights_source == str(path)
    kernel = backbone.model.get_layer('stem_conv').weights[0]
    np.testing.assert_array_equal(kernel, packaged()['_conv_stem.weight'].transpose(2, 3, 1, 0))


def test_checkpoint_is_refused_for_another_backbone() -> None:
    path = package_weights.verified_path()
    with pytest.raises(ConfigError, match='cannot be read as HDF5'):
        backbones.build('mobilenet_v2', 64, str(path))


def test_garbage_checkpoint_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'garbage.pth'
    path.write_bytes(b'\x80\x02K\x01.')
    with pytest.raises(ConfigError, match='garbage.pth cannot be read as a legacy PyTorch'):
        backbones.build('efficientnet_lite0', 64, str(path))


def test_published_size() -> None:
    trainable = sum(int(np.prod(weight.shape)) for weight in classifier().trainable_weights)
    assert trainable == 4_652_008


def test_scaling_maps_the_middle_of_the_range_near_zero() -> None:
    for scaling, (scale, offset) in efficientnet_lite0.SCALINGS.items():
        scaled = keras.layers.Rescaling(scale, offset=offset)(np.array([[0.0] * 3, [255.0] * 3]))
        if scaling == 'tensorflow':
            np.testing.assert_allclose(scaled, [[-127 / 128] * 3, [1.0] * 3], atol=1e-6)
        else:
            low, high = [-2.1179, -2.0357, -1.8044], [2.2489, 2.4286, 2.64]
            np.testing.assert_allclose(scaled, [low, high], atol=1e-4)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda t: t.pop('_conv_head.weight'), "'_conv_head.weight' .* is missing"),
        (lambda t: t.update({'_bn0.weight': np.zeros(3)}), r"'_bn0.weight' has shape \[3\]"),
        (lambda t: t.update({'_conv_stem.weight': np.zeros(3)}), r'does not fit layer stem_conv'),
        (lambda t: t.update({'layer4.weight': np.zeros(3)}), "1 tensors more .* 'layer4.weight'"),
    ],
)
def test_tensors_of_another_network_are_refused(change: object, message: str) -> None:
    tensors = dict(packaged())
    change(tensors)  # type: ignore[operator]
    model = efficientnet_lite0.construct(keras.Input((32, 32, 3)))
    before = [keras.ops.convert_to_numpy(weight).copy() for weight in model.weights]
    with pytest.raises(ConfigError, match=message):
        efficientnet_lite0.assign_torch_tensors(model, tensors, 'file.pth')
    after = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
