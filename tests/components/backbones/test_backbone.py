"""Every registered backbone, on random weights at 64 pixels: blocks, freezing, splitting."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.components.backbones.bases import SIZE, base
from thawline.components import backbones
from thawline.components.shared.errors import ConfigError


@pytest.fixture(params=backbones.names())
def backbone(request: pytest.FixtureRequest) -> backbones.Backbone:
    return base(request.param)


def pixels(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def test_maps_raw_pixels_to_a_finite_feature_map(backbone: backbones.Backbone) -> None:
    images = pixels()
    images[0] = 0
    images[1] = 255
    features = keras.ops.convert_to_numpy(backbone.model(images, training=False))
    assert features.shape == (2, *backbone.model.output.shape[1:])
    assert features.shape[1:3] == (SIZE // 32, SIZE // 32)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert features.std() > 0
    assert backbone.model.input.shape == (None, SIZE, SIZE, 3)


@pytest.mark.parametrize('name', ['mobilenet_v2', 'resnet50'])
def test_uint8_and_float32_pixels_give_the_same_in_a_graph(name: str) -> None:
    model = base(name).model
    images = pixels(1)
    run = tf.function(lambda x: model(x, training=False))
    np.testing.assert_array_equal(run(images), run(images.astype(np.float32)))


def test_every_layer_with_weights_is_in_exactly_one_block(backbone: backbones.Backbone) -> None:
    members = [layer for block in backbone.blocks for layer in block.layers]
    assert len(members) == len(set(members))
    assert set(members) == {layer for layer in backbone.model.layers if layer.weights}
    names = [block.name for block in backbone.blocks]
    assert len(names) == len(set(names))
    assert names[0] == 'stem'
    assert len(names) >= 15


def test_one_tensor_crosses_each_edge(backbone: backbones.Backbone) -> None:
    """Without the edge's tensor, nothing above it can be reached from anything below it."""
    model, blocks = backbone.model, backbone.blocks
    index = {layer.name: i for i, block in enumerate(blocks) for layer in block.layers}
    nodes = [node for depth in model._nodes_by_depth.values() for node in depth]
    for i in range(len(blocks) - 1):
        lower, _ = backbones.split_at(backbone, i + 1)
        producer = lower.outputs[0]._keras_history.operation.name
        assert producer in {operation.name for operation in model.operations}
        reached = {id(model.inputs[0])}
        through: list[str] = []
        growing = True
        while growing:
            growing = False
            for node in nodes:
                name = node.operation.name
                if name in through or name == producer:
                    continue
                if any(id(tensor) in reached for tensor in node.input_tensors):
                    through.append(name)
                    reached |= {id(tensor) for tensor in node.output_tensors}
                    growing = True
        above = [name for name in through if index.get(name, 0) > i]
        assert not above, f'{above} reachable around {producer}'
        assert id(model.outputs[0]) not in reached


def test_split_parts_share_layers_and_compose(backbone: backbones.Backbone) -> None:
    images = pixels()
    whole = keras.ops.convert_to_numpy(backbone.model(images, training=False))
    count = len(backbone.blocks)
    for index in (1, count // 2, count - 1):
        lower, upper = backbones.split_at(backbone, index)
        parts = upper(lower(images, training=False), training=False)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(parts), whole)
        weights = {id(weight) for weight in lower.weights} | {id(w) for w in upper.weights}
        assert weights == {id(weight) for weight in backbone.model.weights}
        below = {layer.name for block in backbone.blocks[:index] for layer in block.layers}
        assert below == {layer.name for layer in lower.layers if layer.weights}


@pytest.mark.parametrize('index', [-1, 0, 19, 1000])
def test_split_outside_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match=f'block_index={index}'):
        backbones.split_at(base('mobilenet_v2'), index)


def trainable_layers(backbone: backbones.Backbone) -> set[str]:
    return {layer.name for layer in backbone.model.layers if layer.trainable_variables}


def is_batch_norm(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)


def test_thaws_by_block(backbone: backbones.Backbone) -> None:
    for thawed in (0, 1, 3, len(backbone.blocks)):
        top = backbone.blocks[len(backbone.blocks) - thawed :]
        layers = [layer for block in top for layer in block.layers]
        # keras.layers.Normalization has weights, but none to train.
        layers = [layer for layer in layers if not isinstance(layer, keras.layers.Normalization)]
        backbones.set_trainable(backbone, thawed, 'affine')
        assert trainable_layers(backbone) == {layer.name for layer in layers}
        backbones.set_trainable(backbone, thawed, 'frozen')
        expected = {layer.name for layer in layers if not is_batch_norm(layer)}
        assert trainable_layers(backbone) == expected


@pytest.mark.parametrize(
    ('thawed', 'batch_norm', 'message'),
    [(-1, 'frozen', '=-1'), (20, 'frozen', '=20'), (1, 'thawed', "='thawed'")],
)
def test_wrong_thawing_is_refused(thawed: int, batch_norm: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        backbones.set_trainable(base('mobilenet_v2'), thawed, batch_norm)  # type: ignore[arg-type]


def values(model: keras.Model) -> dict[str, np.ndarray]:
    return {weight.path: keras.ops.convert_to_numpy(weight).copy() for weight in model.weights}


def changed_by_a_step(backbone: backbones.Backbone) -> set[str]:
    """Takes one training step and takes it back; the paths of the weights that it changed."""
    model = backbone.model
    before = values(model)
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        features = model(pixels(), training=False)
        # A weighted sum, as a plain one has no gradient behind a layer normalization.
        weighting = tf.reshape(tf.range(tf.size(features), dtype=tf.float32) % 7, features.shape)
        loss = tf.reduce_mean(features * weighting)
    # Adam, as its steps do not vanish with the tiny gradients of random deep networks.
    optimizer = keras.optimizers.Adam(0.01, epsilon=1e-12)
    optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
    changed = {path for path, value in values(model).items() if (value != before[path]).any()}
    for weight in model.weights:
        if weight.path in changed:
            weight.assign(before[weight.path])
    return changed


def test_training_step_changes_only_thawed_blocks(backbone: backbones.Backbone) -> None:
    thawed = 2
    backbones.set_trainable(backbone, thawed, 'affine')
    changed = changed_by_a_step(backbone)
    for i, block in enumerate(backbone.blocks):
        paths = {weight.path for layer in block.layers for weight in layer.weights}
        statistics = {path for path in paths if path.endswith(('moving_mean', 'moving_variance'))}
        assert not statistics & changed
        if i < len(backbone.blocks) - thawed:
            assert not paths & changed, f'frozen block {block.name} changed'
        else:
            assert paths & changed, f'thawed block {block.name} did not change'


@pytest.mark.parametrize('name', ['mobilenet_v2', 'resnet50_v2'])
def test_frozen_batch_norm_is_not_trained(name: str) -> None:
    backbone = base(name)
    backbones.set_trainable(backbone, 2, 'frozen')
    changed = changed_by_a_step(backbone)
    norms = {
        w.path for layer in backbone.model.layers if is_batch_norm(layer) for w in layer.weights
    }
    assert norms and not norms & changed
    assert changed


def test_scaling_is_what_keras_does_before_its_own_networks() -> None:
    images = pixels().astype(np.float32)
    cases = {
        'mobilenet_v2': ('to_unit_range', keras.applications.mobilenet_v2),
        'resnet50_v2': ('to_unit_range', keras.applications.resnet_v2),
        'resnet50': ('subtract_bgr_mean', keras.applications.resnet),
    }
    for name, (layer, module) in cases.items():
        model = base(name).model
        scaled = keras.Model(model.inputs[0], model.get_layer(layer).output)(images)
        expected = module.preprocess_input(images.copy())
        np.testing.assert_allclose(scaled, expected, atol=1e-4, err_msg=name)


def test_random_weights_have_a_digest_of_their_own() -> None:
    keras.utils.set_random_seed(7)
    again = backbones.build('mobilenet_v2_035', 32, 'random')
    other = backbones.build('mobilenet_v2_035', 32, None)
    keras.utils.set_random_seed(7)
    first = backbones.build('mobilenet_v2_035', 32, None)
    assert first.weights_digest == again.weights_digest != other.weights_digest
    assert len(first.weights_digest) == 64
    assert first.weights_source == 'random'


@pytest.mark.parametrize(
    ('name', 'size', 'weights', 'message'),
    [
        ('mobilenet_v2', 31, None, 'image_size=31'),
        ('mobilenet_v2', 64, 'package', "no weights 'package'"),
        ('efficientnet_lite0', 64, 'imagenet', "no weights 'imagenet'; use package"),
        ('mobilnet_v2', 64, None, 'did you mean mobilenet_v2'),
        ('mobilenet_v2', 64, '/no/such/file.h5', '/no/such/file.h5 does not exist'),
        ('mobilenet_v2', 64, 'Imagenet', 'Imagenet does not exist'),
    ],
)
def test_wrong_request_is_refused(name: str, size: int, weights: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        backbones.build(name, size, weights)
