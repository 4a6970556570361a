"""What a head sees: which stages, in which order, and that they are the base's own activations."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.components.backbones.bases import SIZE, base
from thawline.components import backbones
from thawline.components.backbones.features import (
    Features,
    feature_model,
    feature_slices,
    split_features,
    stage_ends,
)

SMALLER = 32


@pytest.fixture(scope='module', params=backbones.names())
def backbone(request: pytest.FixtureRequest) -> backbones.Backbone:
    return base(request.param)


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3)).astype(np.float32)


_outputs: dict[tuple[str, Features], np.ndarray] = {}


def features_of(backbone: backbones.Backbone, kind: Features) -> np.ndarray:
    """Of the pixels by the whole model, computed once."""
    key = backbone.name, kind
    if key not in _outputs:
        _outputs[key] = np.asarray(feature_model(backbone, kind)(pixels(), training=False))
    return _outputs[key]


def test_top_is_the_pooled_feature_map(backbone: backbones.Backbone) -> None:
    outputs = features_of(backbone, 'top')
    expected = np.mean(backbone.model(pixels(), training=False), axis=(1, 2))
    assert feature_slices(backbone, 'top') == (('top', slice(0, expected.shape[1])),)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_blocks_are_the_ends_of_stages_and_the_top_last(backbone: backbones.Backbone) -> None:
    ends = stage_ends(backbone)
    slices = feature_slices(backbone, 'blocks')
    assert len(ends) >= 2
    assert [name for name, _ in slices] == [name for name, _ in ends] + ['top']
    shapes = [edge.shape for _, edge in ends] + [backbone.model.output_shape]
    assert len(set(shapes)) == len(shapes), 'one edge a stage'
    assert all(SIZE / shape[1] >= 8 for shape in shapes)
    assert [shape[1] for shape in shapes] == sorted((s[1] for s in shapes), reverse=True)
    assert feature_model(backbone, 'blocks').output_shape == (None, slices[-1][1].stop)
    outputs = features_of(backbone, 'blocks')
    stages = keras.Model(backbone.model.inputs[0], [edge for _, edge in ends])
    activations = stages(pixels(), training=False)
    for activation, (_, columns) in zip(activations, slices[:-1], strict=True):
        expected = np.mean(activation, axis=(1, 2))
        scale = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(outputs[:, columns], expected, rtol=1e-4, atol=scale)
    top = features_of(backbone, 'top')
    np.testing.assert_allclose(
        outputs[:, slices[-1][1]], top, rtol=1e-4, atol=1e-5 * np.abs(top).max()
    )


def test_weights_are_shared_and_the_base_still_splits(backbone: backbones.Backbone) -> None:
    model = feature_model(backbone, 'blocks')
    assert {id(v) for v in model.variables} == {id(v) for v in backbone.model.variables}
    ends = stage_ends(backbone)
    feature_model(backbone, 'top')
    assert [name for name, _ in stage_ends(backbone)] == [name for name, _ in ends]


@pytest.mark.parametrize('kind', ['top', 'blocks'])
def test_parts_make_the_whole(kind: Features, backbone: backbones.Backbone) -> None:
    expected = features_of(backbone, kind)
    for block in (len(backbone.blocks) // 2, len(backbone.blocks) - 1):
        lower, upper = split_features(backbone, kind, block)
        between = tf.nest.flatten(lower(pixels(), training=False))
        assert len(between) == (1 if kind == 'top' else 2)
        features = upper(between, training=False)
        scale = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(features, expected, rtol=1e-4, atol=scale)
        inside = {id(v) for part in (lower, upper) for v in part.variables}
        assert inside == {id(v) for v in backbone.model.variables}
        assert not {id(v) for v in lower.variables} & {id(v) for v in upper.variables}


def test_smaller_images_are_seen_as_by_a_base_for_them(backbone: backbones.Backbone) -> None:
    """One trace for images of any side, which training at a reduced resolution relies on."""
    model = feature_model(backbone, 'top')
    model.input_spec = keras.InputSpec(ndim=4, axes={-1: 3})
    spec = tf.TensorSpec([None, None, None, 3], tf.float32)
    of_any_size = tf.function(lambda images: model(images, training=False), input_signature=[spec])
    smaller = tf.image.resize(pixels(), [SMALLER, SMALLER], antialias=True)
    native = backbones.build(backbone.name, SMALLER, None)
    for variable, same in zip(native.model.variables, backbone.model.variables, strict=True):
        variable.assign(same)
    of_smaller = np.asarray(feature_model(native, 'top')(smaller, training=False))
    for images, expected in ((smaller, of_smaller), (pixels(), features_of(backbone, 'top'))):
        scale = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(of_any_size(images), expected, rtol=1e-4, atol=scale)
    assert of_any_size.experimental_get_tracing_count() == 1


@pytest.mark.parametrize('block', [0, 99])
def test_no_such_edge_is_told(block: int, backbone: backbones.Backbone) -> None:
    with pytest.raises(ValueError, match=f'Received: block_index={block}'):
        split_features(backbone, 'top', block)


def test_known_stages_of_mobilenet_v2() -> None:
    native = backbones.build('mobilenet_v2', 224, None)
    assert [(name, edge.shape[1], edge.shape[3]) for name, edge in stage_ends(native)] == [
        ('block_5', 28, 32),
        ('block_9', 14, 64),
        ('block_12', 14, 96),
        ('block_15', 7, 160),
        ('block_16', 7, 320),
    ]
    assert feature_slices(native, 'blocks')[-1] == ('top', slice(672, 1952))


def test_unknown_kind_is_told(backbone: backbones.Backbone) -> None:
    with pytest.raises(ValueError, match="Received: features='all'"):
        feature_model(backbone, 'all')  # type: ignore[arg-type]
