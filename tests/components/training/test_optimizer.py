"""The optimizer: how fast each block moves, by measured updates."""

from __future__ import annotations

import math
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from tests.components.training import tiny
from thawline.components import backbones
from thawline.components.backbones import classifier
from thawline.components.training import optimizer as optimizer_lib
from thawline.components.training import params


def built(classifier: classifier.Classifier, **tune: Any) -> optimizer_lib.LayerwiseAdamW:
    """The optimizer of all blocks."""
    # Said in full: what is tested must not change with the defaults.
    base: dict[str, Any] = {'learning_rate': 0.01, 'block_decay': 0.8, 'weight_decay': 0.0}
    backbones.set_trainable(classifier.backbone, tiny.BLOCKS, 'affine')
    return optimizer_lib.build(classifier, params.FineTune(**{**base, **tune}), tiny.BLOCKS)


def step(
    classifier: classifier.Classifier, optimizer: optimizer_lib.LayerwiseAdamW, gradient: float
) -> dict[str, np.ndarray]:
    """Applies the same gradient to every element; returns the change of each variable."""
    variables = classifier.model.trainable_variables
    before = [np.array(v.value) for v in variables]
    optimizer.apply([tf.fill(v.shape, gradient) for v in variables], variables)
    return {v.path: np.array(v.value) - b for v, b in zip(variables, before, strict=True)}


def multiple(path: str, decay: float) -> float:
    """Of the common rate, by the block in the path; the head learns as the top block does."""
    block = int(path[5]) if path.startswith('block') else tiny.BLOCKS - 1
    return float(decay ** (tiny.BLOCKS - 1 - block))


def test_block_rates_fall_towards_the_stem() -> None:
    assert optimizer_lib.block_multiples(0.5, 3) == [0.25, 0.5, 1.0]
    assert optimizer_lib.block_multiples(1.0, 2) == [1.0, 1.0]
    assert optimizer_lib.block_multiples(0.5, 1) == [1.0]


def test_measured_updates_follow_the_block_rates() -> None:
    """Adam's first step moves every weight by the rate itself, whatever the gradient."""
    classifier = tiny.classifier()
    changes = step(classifier, built(classifier, block_decay=0.5), 0.3)
    assert len(changes) == tiny.BLOCKS * 4 + 2
    for path, change in changes.items():
        np.testing.assert_allclose(change, -0.01 * multiple(path, 0.5), rtol=1e-3, err_msg=path)


def test_some_of_the_variables_can_be_stepped_alone() -> None:
    """As in a stage in which lower blocks are still frozen: each keeps its own rate."""
    classifier = tiny.classifier()
    optimizer = built(classifier, block_decay=0.5)
    some = [v for v in classifier.model.trainable_variables if v.path.startswith('block2')]
    before = tiny.weights_of(classifier.backbone)
    optimizer.apply([tf.fill(v.shape, 0.3) for v in some], some)
    after = tiny.weights_of(classifier.backbone)
    for path, is_same in tiny.same(before, after).items():
        assert is_same == (path not in {v.path for v in some}), path
    for variable in some:
        change = after[variable.path] - before[variable.path]
        np.testing.assert_allclose(change, -0.01 * 0.5, rtol=1e-3)


def test_rate_warms_up_and_falls_to_zero() -> None:
    """The rate that is assigned is the one that a compiled step uses, traced once or not."""
    classifier = tiny.classifier()
    optimizer = built(classifier)
    rates = [optimizer_lib.learning_rate(0.01, i, 20, 0.25) for i in range(21)]
    warm = [0.01 * (i + 1) / 6 for i in range(5)]
    falling = [0.01 * (1 + math.cos(math.pi * i / 15)) / 2 for i in range(16)]
    np.testing.assert_allclose(rates, warm + falling, rtol=1e-6, atol=1e-12)
    bias = classifier.head.bias
    variables = classifier.model.trainable_variables
    traced: list[None] = []

    @tf.function
    def compiled() -> None:
        traced.append(None)
        optimizer.apply([tf.fill(v.shape, 0.3) for v in variables], variables)

    sizes = []
    for rate in rates:
        optimizer.learning_rate = rate
        before = np.array(bias)
        compiled()
        sizes.append(float((before - np.array(bias)).mean()))
    assert len(traced) == 1
    # A constant gradient keeps Adam's quotient at 1, so each step's size is the rate at that step.
    np.testing.assert_allclose(sizes, rates, rtol=1e-2, atol=1e-6)


@hypothesis.given(
    st.floats(1e-6, 1.0), st.integers(1, 2000), st.floats(0.0, 1.0), st.floats(0.0, 1.0)
)
def test_rate_rises_then_falls_and_never_leaves_its_range(
    peak: float, steps: int, warmup: float, at: float
) -> None:
    rates = [optimizer_lib.learning_rate(peak, step, steps, warmup) for step in range(steps)]
    warm = int(steps * warmup)
    assert all(0 < rate <= peak for rate in rates)
    assert rates[:warm] == sorted(rates[:warm])
    assert rates[warm:] == sorted(rates[warm:], reverse=True)
    if warm < steps:
        assert max(rates) == rates[warm] == peak
        # A step after the last would stand still.
        assert optimizer_lib.learning_rate(peak, steps, steps, warmup) == pytest.approx(
            0, abs=1e-12
        )
    # What is left to do depends on the share that is done, not on how many steps make it up.
    done = int(at * (steps - 1))
    twice = optimizer_lib.learning_rate(peak, 2 * done, 2 * steps, 0.0)
    assert twice == pytest.approx(optimizer_lib.learning_rate(peak, done, steps, 0.0))


def test_weight_decay_spares_biases_and_batchnorm_scales() -> None:
    classifier = tiny.classifier()
    optimizer = built(classifier, learning_rate=0.1, block_decay=0.5, weight_decay=0.25)
    for variable in classifier.model.trainable_variables:
        variable.assign(tf.fill(variable.shape, 2.0))
    for path, change in step(classifier, optimizer, 0.0).items():
        if not path.endswith('kernel'):
            assert not change.any(), path
            continue
        expected = -0.1 * multiple(path, 0.5) * 0.25 * 2.0
        np.testing.assert_allclose(change, expected, rtol=1e-5, err_msg=path)


def test_weight_decay_follows_the_assigned_rate() -> None:
    classifier = tiny.classifier()
    optimizer = built(classifier, learning_rate=0.1, block_decay=1.0, weight_decay=0.25)
    kernel = classifier.head.kernel
    for rate in (0.1, 0.02, 0.0):
        kernel.assign(tf.fill(kernel.shape, 2.0))
        optimizer.learning_rate = rate
        change = step(classifier, optimizer, 0.0)['head/kernel']
        np.testing.assert_allclose(change, -rate * 0.25 * 2.0, rtol=1e-5)


def test_average_is_of_the_weights_after_each_step_and_does_not_disturb_them() -> None:
    classifier, plain = tiny.classifier(), tiny.classifier()
    optimizer, other = built(classifier, average=0.75), built(plain)
    bias = classifier.head.bias
    expected: np.ndarray = np.zeros(2, np.float32)
    for number in range(4):
        changes, undisturbed = step(classifier, optimizer, 0.3), step(plain, other, 0.3)
        for path, change in changes.items():
            np.testing.assert_array_equal(change, undisturbed[path])
        now = np.array(bias)
        expected = 0.75 * expected + 0.25 * now if number else now
    assert (np.array(bias) != expected).all()
    optimizer.finalize_variable_values(classifier.model.trainable_variables)
    np.testing.assert_allclose(np.array(bias), expected, rtol=1e-6)
