"""Training at other sides than the full one: which, with what images, and what is served."""

from __future__ import annotations

import pathlib
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from tests.components.training import fine_tuning, tiny
from thawline.components import augmentation
from thawline.components.training import params, resolution, scores, training_images
from thawline.components.training.budget import CostEstimate
from thawline.components.training.epoch_trainer import EpochTrainer
from thawline.components.training.targets import Targets

SIDE = 96


def tune(start: float = 1.0, end: float = 1.0) -> params.FineTune:
    return params.FineTune(start_resolution=start, end_resolution=end)


@pytest.mark.parametrize(
    ('start', 'end', 'full', 'epochs', 'expected'),
    [
        (0.5, 1.0, 224, 5, [128, 128, 160, 192, 224]),
        (0.75, 1.0, 224, 2, [160, 224]),
        (1.0, 0.8, 224, 2, [224, 192]),
        (0.5, 1.0, 224, 1, [224]),
        (1.0, 1.0, 150, 3, [150, 150, 150]),
        (0.01, 0.99, 150, 2, [32, 150]),
        (0.1, 0.2, 16, 2, [16, 16]),
    ],
)
def test_sides_go_from_the_first_to_the_last(
    start: float, end: float, full: int, epochs: int, expected: list[int]
) -> None:
    assert resolution.sides(tune(start, end), full, epochs).tolist() == expected


@hypothesis.given(
    st.floats(0.01, 1.0), st.floats(0.01, 1.0), st.integers(32, 512), st.integers(1, 50)
)
def test_every_side_suits_the_bases(start: float, end: float, full: int, epochs: int) -> None:
    sides = resolution.sides(tune(start, end), full, epochs).tolist()
    assert len(sides) == epochs
    assert sides == sorted(sides, reverse=end < start)
    for side in sides:
        assert side == full or (side % 32 == 0 and 32 <= side < full)
    assert abs(sides[-1] - end * full) <= 32


def test_augmented_images_are_resized() -> None:
    data = tiny.images(5, side=SIDE)
    targets = Targets(0.0, 'none', np.ones(2, np.float32), soft=False)
    policy = augmentation.POLICIES['light']
    batches = training_images.EpochBatches(data, 2, policy, 0, targets)
    pairs = zip(batches.epoch(1), batches.epoch(1, 32), strict=True)
    for (images, goals), (resized, same_goals) in pairs:
        expected = tf.image.resize(images, [32, 32], antialias=True)
        assert resized.shape[1:] == (32, 32, 3)
        np.testing.assert_allclose(resized, expected, atol=1e-3)
        np.testing.assert_array_equal(goals, same_goals)


@pytest.mark.parametrize('chosen', [{}, {'blocks': 'all', 'batch_norm': 'updated', 'stages': 2}])
def test_growing_images_are_trained_by_one_trace_and_val_is_of_full_size(
    chosen: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    settings = fine_tuning.settings(epochs=3, start_resolution=0.3, **chosen)
    classifier = fine_tuning.classifier(settings, side=SIDE)
    train, val = tiny.images(24, side=SIDE), tiny.images(16, side=SIDE, seed=1)
    before = fine_tuning.weights(classifier)
    tuned = fine_tuning.run(classifier, tmp_path, settings, train, val)
    assert [epoch.side for epoch in tuned.history] == [32, 64, 96]
    assert any((a != b).any() for a, b in zip(before, fine_tuning.weights(classifier), strict=True))
    assert classifier.model.input_shape == (None, SIDE, SIDE, 3)
    again = scores.score(classifier.predict(val.values), val.labels)
    assert again.accuracy == tuned.best.val.accuracy
    assert again.log_loss == pytest.approx(tuned.best.val.log_loss, rel=1e-5)


def test_seconds_of_epochs_follow_their_area() -> None:
    """Of any number of epochs, from what was measured at the two ends."""
    settings = fine_tuning.settings(epochs=5, start_resolution=0.3)
    classifier = fine_tuning.classifier(settings, side=SIDE)
    train, val = tiny.images(24, side=SIDE), tiny.images(16, side=SIDE, seed=1)
    epochs = EpochTrainer(classifier, train, val, settings, None)
    cost = CostEstimate(0.0, 0.0, train=24, val=16, blocks=len(classifier.backbone.blocks))
    seconds = epochs.time_epochs(cost, 2)
    (step,) = epochs._compiled.steps.values()
    assert step.experimental_get_tracing_count() == 1  # type: ignore[attr-defined]
    one, two, three = (seconds(n) for n in (1, 2, 3))
    assert 0 < one < two < three
    # Epochs at 32 and 96 pixels; at 32, 64 and 96, without looks at val; area is what counts.
    small = two - one
    middle = three - two
    share = (64**2 - 32**2) / (96**2 - 32**2)
    assert middle == pytest.approx(small + share * (one - small), rel=1e-6)
