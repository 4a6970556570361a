"""Mixed precision computes in bfloat16 within the training step, and nowhere else."""

from __future__ import annotations

import pathlib
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.components.training import fine_tuning, tiny
from thawline.components import backbones
from thawline.components.backbones import classifier
from thawline.components.training import optimizer, params, precision
from thawline.components.training.training_step import compile_step


@pytest.mark.parametrize('setting', ['float32', 'mixed_bfloat16'])
def test_what_is_said_is_chosen(setting: str) -> None:
    assert precision.dtype_policy(setting) == setting


@pytest.mark.parametrize(
    ('capabilities', 'expected'),
    [
        ([], 'float32'),
        ([(7, 5)], 'float32'),
        ([(8, 0)], 'mixed_bfloat16'),
        ([(9, 0), (8, 9)], 'mixed_bfloat16'),
        ([(9, 0), (7, 0)], 'float32'),
        ([None], 'float32'),
    ],
)
def test_auto_is_mixed_on_gpus_that_can(
    capabilities: list[Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What TensorFlow says of its GPUs is given here: tests run on machines without one."""
    monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: range(len(capabilities)))
    details = [{'compute_capability': one} if one else {} for one in capabilities]
    monkeypatch.setattr(tf.config.experimental, 'get_device_details', details.__getitem__)
    assert precision.dtype_policy('auto') == expected


def kernels(graph: tf.Graph) -> set[tuple[str, str]]:
    """(operation, its type) of whatever multiplies in a graph."""
    nodes = [*graph.as_graph_def().node]
    for function in graph.as_graph_def().library.function:
        nodes += function.node_def
    return {
        (node.op, tf.dtypes.as_dtype(node.attr['T'].type).name)
        for node in nodes
        if node.op.startswith(('Conv2D', 'Depthwise')) or node.op == 'MatMul'
    }


@pytest.mark.parametrize('policy', ['float32', 'mixed_bfloat16'])
def test_step_computes_in_it_and_answers_do_not(policy: str) -> None:
    keras.utils.set_random_seed(0)
    base = backbones.build('mobilenet_v2_035', 32, 'random')
    one = classifier.build(base, 'blocks', 2, 0.2, 0)
    backbones.set_trainable(base, 2, 'affine')
    adam = optimizer.build(one, params.FineTune(), 2)
    pixels = tiny.images(4, side=32).values
    before = one.predict(pixels)
    spec = tf.TensorSpec(one.model.input_shape, tf.float32)
    with precision.use_dtype_policy(policy, base):
        step = compile_step(one.model, one.model.trainable_variables, adam, spec)
    computed = kernels(step.get_concrete_function().graph)  # type: ignore[attr-defined]
    inside = 'bfloat16' if policy == 'mixed_bfloat16' else 'float32'
    assert {dtype for op, dtype in computed if op != 'MatMul'} == {inside}
    assert {op for op, _ in computed} >= {'Conv2D', 'DepthwiseConv2dNative', 'Conv2DBackpropFilter'}
    assert {dtype for op, dtype in computed if op == 'MatMul'} == {'float32'}  # the head
    # A model that is traced now has nothing of it, whether it is the same one or shares layers.
    np.testing.assert_array_equal(one.predict(pixels), before)
    again = classifier.build(base, 'blocks', 2, 0.2, 0)
    again.set_head(*one.head.get_weights())
    np.testing.assert_array_equal(again.predict(pixels), before)
    adam.learning_rate = 1e-3
    losses, _ = step(tf.cast(pixels, tf.float32), tf.eye(2, num_columns=2)[:1].numpy().repeat(4, 0))
    assert losses.dtype == tf.float32 and np.isfinite(losses)
    assert {np.dtype(v.dtype).name for v in one.model.trainable_variables} == {'float32'}
    assert (one.predict(pixels) != before).any()


def test_policies_are_as_before_also_after_an_error() -> None:
    base = tiny.backbone()
    before = [layer.dtype_policy for layer in base.model.layers]
    with pytest.raises(KeyError), precision.use_dtype_policy('mixed_bfloat16', base):
        inside = [layer.compute_dtype for layer in base.model.layers]
        raise KeyError
    assert inside == ['float32', 'float32', *['bfloat16'] * 3 * tiny.BLOCKS]  # pixels and scaling
    assert [layer.dtype_policy for layer in base.model.layers] == before


@pytest.mark.parametrize('chosen', [{}, {'cached_views': 1}, {'blocks': 'all', 'average': 0.5}])
def test_training_in_it_comes_near_to_float32(
    chosen: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    reached = {}
    for name in ('float32', 'mixed_bfloat16'):
        settings = fine_tuning.settings(precision=name, dropout=0.0, **chosen)
        one = fine_tuning.classifier(settings)
        reached[name] = fine_tuning.run(one, tmp_path / name, settings)
        # What is kept answers in float32 as a model that never knew another precision.
        fresh = fine_tuning.classifier(fine_tuning.settings())
        fresh.model.set_weights(one.model.get_weights())
        pixels = tiny.images(16, seed=3).values
        np.testing.assert_array_equal(one.predict(pixels), fresh.predict(pixels))
    plain, mixed = reached['float32'].history, reached['mixed_bfloat16'].history
    assert mixed[0].train_loss != plain[0].train_loss
    assert mixed[0].train_loss == pytest.approx(plain[0].train_loss, rel=0.05)
