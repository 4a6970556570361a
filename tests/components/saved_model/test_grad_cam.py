"""Grad-CAM against what it is in closed form, and against pictures with an object in them."""

from __future__ import annotations

import functools
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.components.backbones import test_efficientnet_lite0 as photographs
from tests.components.training import tiny
from tests.components.transformed import CLASSES as NAMES
from tests.components.transformed import RESIZE, Transformed
from tests.components.transformed import SIZE as SIDE
from thawline.components import backbones
from thawline.components.backbones import classifier, package_weights
from thawline.components.backbones.features import Features, feature_slices
from thawline.components.saved_model import signatures
from thawline.components.saved_model.grad_cam import GradCam
from thawline.components.saved_model.network import Network

SIZE = 64
CLASSES = 3


def explained(made: classifier.Classifier, pixels: np.ndarray, classes: list[int]) -> np.ndarray:
    return saliency(Network(made), pixels, classes)


def saliency(network: Network, pixels: np.ndarray, classes: list[int]) -> np.ndarray:
    maps = GradCam(network)(keras.ops.convert_to_tensor(pixels), np.array(classes, np.int64))
    return maps['saliency'].numpy()


PIXELS = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
ASKED = [2, 0, 1]


@functools.cache
def base(name: str) -> backbones.Backbone:
    keras.utils.set_random_seed(3)
    return backbones.build(name, SIZE, None)


@functools.cache
def real(name: str, features: Features) -> tuple[classifier.Classifier, np.ndarray]:
    """A classifier on a real base, and its explanation of the classes asked about."""
    made = classifier.build(base(name), features, CLASSES, 0.2, seed=0)
    kernel = np.random.default_rng(1).normal(size=made.head.kernel.shape).astype(np.float32)
    made.set_head(kernel, np.ones(CLASSES, np.float32))
    return made, explained(made, PIXELS, ASKED)


@pytest.mark.parametrize('features', ['top', 'blocks'])
@pytest.mark.parametrize(
    'name', ['mobilenet_v2_035', 'resnet50_v2', 'efficientnet_v2_b0', 'efficientnet_lite0']
)
def test_behind_a_mean_it_is_the_class_activation_map(name: str, features: Features) -> None:
    made, found = real(name, features)
    backbone, (kernel, _) = made.backbone, made.head.get_weights()
    maps = np.asarray(backbone.model(PIXELS.astype(np.float32), training=False))
    top = kernel[feature_slices(backbone, features)[-1][1]]
    heat = np.maximum(np.einsum('nhwk,kn->nhw', maps, top[:, ASKED]), 0)
    strongest = heat.max(axis=(1, 2), keepdims=True)
    expected = np.divide(heat, strongest, out=np.zeros_like(heat), where=strongest > 0)
    assert found.shape == maps.shape[:3] and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert expected.max() == 1.0


@pytest.mark.parametrize('features', ['top', 'blocks'])
def test_it_is_what_a_gradient_gives(features: Features) -> None:
    made, found = real('mobilenet_v2_035', features)
    both = keras.Model(made.base.inputs[0], [made.backbone.model.outputs[0], made.base.outputs[0]])
    with tf.GradientTape() as tape:
        images = tf.constant(PIXELS, tf.float32)
        tape.watch(images)
        maps, pooled = both(images, training=False)
        logits = tf.gather(made.head(pooled), ASKED, axis=1, batch_dims=1)
    slopes = tf.reduce_mean(tape.gradient(logits, maps), axis=[1, 2])
    heat = tf.nn.relu(tf.einsum('nhwk,nk->nhw', maps, slopes))
    expected = tf.math.divide_no_nan(heat, tf.reduce_max(heat, axis=[1, 2], keepdims=True))
    assert tf.reduce_max(expected) == 1.0
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_batches_of_none_and_images_that_nothing_speaks_for() -> None:
    made = tiny.classifier(CLASSES)
    pixels = tiny.images(2).values
    assert explained(made, pixels[:0], []).shape == (0, 4, 4)
    made.set_head(np.full(made.head.kernel.shape, -1, np.float32), np.zeros(CLASSES, np.float32))
    np.testing.assert_array_equal(explained(made, pixels, [0, 1]), np.zeros((2, 4, 4)))


def test_thawed_statistics_are_those_of_inference() -> None:
    base = tiny.backbone()
    pixels = tiny.images(4).values
    kernel = np.random.default_rng(0).normal(size=(8, CLASSES)).astype(np.float32)
    heat = []
    for updated in (False, True):
        made = classifier.build(base, 'top', CLASSES, 0.2, seed=0, updated_statistics=updated)
        made.set_head(kernel, np.zeros(CLASSES, np.float32))
        heat.append(explained(made, pixels, [0, 1, 2, 0]))
    np.testing.assert_array_equal(heat[0], heat[1])


_PROGRAM = """
import sys, numpy as np, tensorflow as tf
explain = tf.saved_model.load(sys.argv[1]).signatures['explain']
given = np.load(sys.argv[2])
pixels, classes = tf.constant(given['pixels']), tf.constant(given['classes'])
whole = explain(pixels=pixels, class_index=classes)
none = explain(pixels=pixels[:0], class_index=classes[:0])
assert set(whole) == {'saliency'} and none['saliency'].shape[0] == 0
np.save(sys.argv[3], whole['saliency'].numpy())
"""


def test_exported_model_explains_itself_to_a_process_that_knows_nothing_of_it(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    made = classifier.build(tiny.backbone(side=SIDE), 'top', len(NAMES), 0.2, seed=0)
    kernel = np.random.default_rng(0).normal(size=(8, len(NAMES)))
    made.set_head(kernel, np.zeros(len(NAMES)))
    signatures.export(made, NAMES, transformed.output, SIDE, RESIZE, tmp_path / 'model')
    pixels = tiny.images(3, side=SIDE).values
    classes = np.array([4, 0, 2], np.int64)
    np.savez(tmp_path / 'given.npz', pixels=pixels, classes=classes)
    arguments = [str(tmp_path / name) for name in ('model', 'given.npz', 'found.npy')]
    ended = subprocess.run(
        [sys.executable, '-I', '-c', _PROGRAM, *arguments],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    expected = explained(made, pixels, classes.tolist())
    np.testing.assert_allclose(np.load(tmp_path / 'found.npy'), expected, atol=1e-5)
    assert expected.max() == 1.0


@functools.cache
def of_photographs() -> Network:
    backbone = backbones.build('efficientnet_lite0', 224, 'package')
    made = classifier.build(backbone, 'top', 1000, 0.0, seed=0)
    weights = photographs.packaged()
    made.set_head(weights['_fc.weight'].T, weights['_fc.bias'])
    return Network(made)


@pytest.mark.skipif(package_weights.locate() is None, reason='the weights are not installed')
@pytest.mark.parametrize(
    ('name', 'label', 'rows', 'columns', 'share'),
    [
        # The palace fills the left of its picture, the flower the middle of its own.
        ('china.jpg', 698, slice(0, 7), slice(0, 4), 0.85),
        ('flower.jpg', 985, slice(1, 6), slice(1, 6), 0.85),
    ],
)
def test_heat_lies_on_the_object(
    name: str, label: int, rows: slice, columns: slice, share: float
) -> None:
    (heat,) = saliency(of_photographs(), photographs.photograph(name), [label])
    assert heat.shape == (7, 7)
    assert heat[rows, columns].sum() > share * heat.sum()
