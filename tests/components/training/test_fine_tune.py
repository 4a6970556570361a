"""Fine-tuning: what freezes and when, what the loss is, and which weights remain."""

from __future__ import annotations

import functools
import math
import pathlib
from typing import Any

import hypothesis
import hypothesis.strategies as st
import keras
import numpy as np
import pytest
import scipy.special

from tests.components.training import fine_tuning, tiny
from tests.components.training.fine_tuning import run, settings
from thawline.components.shared import progress
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import epoch_trainer as epochs_lib
from thawline.components.training import optimizer, scores
from thawline.components.training.record import EpochRecord, Scores


@pytest.mark.parametrize('batch_norm', ['frozen', 'affine', 'updated'])
@pytest.mark.parametrize('average', [0.0, 0.5])
def test_only_thawed_blocks_change_and_statistics_only_where_they_are_updated(
    batch_norm: str, average: float, tmp_path: pathlib.Path
) -> None:
    chosen = settings(batch_norm=batch_norm, average=average)
    classifier = fine_tuning.classifier(chosen)
    before = tiny.weights_of(classifier.backbone)
    head = classifier.head.get_weights()
    run(classifier, tmp_path, chosen)
    unchanged = tiny.same(before, tiny.weights_of(classifier.backbone))
    moved = {
        'frozen': {'kernel', 'bias'},
        'affine': {'kernel', 'bias', 'gamma', 'beta'},
        'updated': {'kernel', 'bias', 'gamma', 'beta', 'moving_mean', 'moving_variance'},
    }[batch_norm]
    for path, is_same in unchanged.items():
        block, weight = path.split('_')[0], path.split('/')[-1]
        assert is_same == (not (block in ('block2', 'block3') and weight in moved)), path
    assert sum(not is_same for is_same in unchanged.values()) == 2 * len(moved)
    assert all((a != b).any() for a, b in zip(head, classifier.head.get_weights(), strict=True))


@pytest.mark.parametrize('blocks', ['all', 99])
def test_all_blocks_and_more_blocks_than_there_are(blocks: Any, tmp_path: pathlib.Path) -> None:
    classifier = tiny.classifier()
    before = tiny.weights_of(classifier.backbone)
    tuned = run(classifier, tmp_path, settings(epochs=1, blocks=blocks))
    unchanged = tiny.same(before, tiny.weights_of(classifier.backbone))
    kernels = {path: is_same for path, is_same in unchanged.items() if 'kernel' in path}
    assert len(kernels) == tiny.BLOCKS and not any(kernels.values())
    assert tuned.plan.blocks == tuned.history[0].blocks == tiny.BLOCKS
    assert tuned.left_out == ()


def test_first_step_moves_every_block_by_its_own_rate(tmp_path: pathlib.Path) -> None:
    """Measured in training itself: Adam's first step is as large as the rate, up to its sign."""
    chosen = settings(blocks='all', block_decay=0.5, warmup=0.5, weight_decay=0.0)
    classifier = fine_tuning.classifier(chosen)
    before = tiny.weights_of(classifier.backbone)
    steps = fine_tuning.Steps(lambda: tiny.weights_of(classifier.backbone))
    with progress.listening(steps):
        run(classifier, tmp_path, chosen)
    assert len(steps.seen) == 2 * 3
    first = optimizer.learning_rate(1e-2, 0, 6, 0.5)
    assert first == pytest.approx(1e-2 / 4)
    for block in range(tiny.BLOCKS):
        path = f'block{block}_conv/kernel'
        sizes = np.abs(steps.seen[0][path] - before[path])
        expected = first * 0.5 ** (tiny.BLOCKS - 1 - block)
        assert sizes.max() == pytest.approx(expected, rel=1e-3)
        # Hardly a weight has so small a gradient that Adam's epsilon shows.
        assert np.median(sizes) == pytest.approx(expected, rel=1e-2)


def test_history_tells_depth_and_rate_of_each_epoch(tmp_path: pathlib.Path) -> None:
    chosen = settings(epochs=4, blocks='all', stages=2, warmup=0.25)
    tuned = run(fine_tuning.classifier(chosen), tmp_path, chosen)
    assert [epoch.blocks for epoch in tuned.history] == [2, 4, 4, 4]
    rates = [optimizer.learning_rate(1e-2, step, 12, 0.25) for step in range(12)]
    expected = [max(rates[i : i + 3]) for i in range(0, 12, 3)]
    assert [epoch.rate for epoch in tuned.history] == expected
    assert all(epoch.seconds > 0 for epoch in tuned.history)


@hypothesis.given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 40))
def test_depth_grows_from_the_top_until_all_blocks_have_half_of_the_epochs(
    epochs: int, blocks: int, stages: int
) -> None:
    depths = [
        epochs_lib.thawed_blocks(epoch, epochs, blocks, stages) for epoch in range(1, epochs + 1)
    ]
    assert depths == sorted(depths)
    assert depths[0] >= 1 and depths[-1] == blocks
    assert all(depth == blocks for depth in depths[-(-epochs // 2) :])
    if stages == 1:
        assert depths[0] == blocks
    if epochs >= 2 * stages and blocks >= stages:
        assert len(set(depths)) == stages  # none is left out
        assert depths[0] == round(blocks / stages)


def test_lower_blocks_wait_for_their_stage(tmp_path: pathlib.Path) -> None:
    """Bitwise, epoch by epoch, the scale and bias of BatchNorm too."""
    chosen = settings(epochs=4, blocks='all', stages=4, patience=10)
    classifier = fine_tuning.classifier(chosen)
    states = [tiny.weights_of(classifier.backbone)]

    def look(epoch: EpochRecord) -> None:
        del epoch
        states.append(tiny.weights_of(classifier.backbone))

    tuned = run(classifier, tmp_path, chosen, on_epoch=look)
    depths = [epoch.blocks for epoch in tuned.history]
    assert depths == [1, 3, 4, 4]
    for depth, before, after in zip(depths, states, states[1:], strict=False):
        for path, is_same in tiny.same(before, after).items():
            thawed = int(path[5]) >= tiny.BLOCKS - depth and 'moving' not in path
            assert is_same == (not thawed), (depth, path)


@pytest.mark.parametrize('smoothing', [0.0, 0.2])
@pytest.mark.parametrize('weighting', ['none', 'balanced'])
def test_loss_is_the_cross_entropy_of_the_targets(
    smoothing: float, weighting: str, tmp_path: pathlib.Path
) -> None:
    """At a rate of next to nothing, the loss of an epoch is that of the model as it was."""
    train = tiny.images(24).take(np.array([*range(0, 24, 2), 1, 3, 5]))  # 12 and 3
    chosen = settings(
        augmentation='none',
        class_weights=weighting,
        epochs=1,
        learning_rate=1e-12,
        dropout=0.0,
        label_smoothing=smoothing,
    )
    classifier = fine_tuning.classifier(chosen)
    logits = classifier.predict(train.values)
    logs = scipy.special.log_softmax(logits.astype(float), axis=1)
    goals = (1 - smoothing) * np.eye(2)[train.labels] + smoothing / 2
    each = np.array([15 / 24, 15 / 6] if weighting == 'balanced' else [1, 1])[train.labels]
    (epoch,) = run(classifier, tmp_path, chosen, train).history
    assert epoch.train_loss == pytest.approx(-(goals * logs).sum(1) @ each / 15, rel=1e-4)
    assert epoch.train_accuracy == pytest.approx((logits.argmax(1) == train.labels).mean())


def test_balanced_classes_make_the_rare_one_more_probable(tmp_path: pathlib.Path) -> None:
    data = tiny.images(64)
    rare = data.take(np.flatnonzero((data.labels == 0) | (np.arange(64) % 16 == 1)))  # 32 and 4

    def probability(weighting: str) -> float:
        # One epoch: no choice of an epoch by accuracy comes between.
        chosen = settings(class_weights=weighting, epochs=1, dropout=0.0, batch_size=4)
        classifier = fine_tuning.classifier(chosen)
        run(classifier, tmp_path / weighting, chosen, rare)
        chances = scipy.special.softmax(classifier.predict(tiny.images(48, seed=1).values), axis=1)
        return float(chances[:, 1].mean())

    balanced, plain = probability('balanced'), probability('none')
    assert balanced > plain + 0.1


def blended(folder: pathlib.Path, mix: str) -> list[np.ndarray]:
    chosen = settings(mix=mix)
    classifier = fine_tuning.classifier(chosen)
    run(classifier, folder, chosen)
    return fine_tuning.weights(classifier)


@pytest.fixture(scope='module')
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """The weights of a training without blends."""
    return blended(tmp_path_factory.mktemp('plain'), 'none')


@pytest.mark.parametrize('mix', ['mixup', 'cutmix'])
def test_blends_change_the_training_and_are_reproducible(
    mix: str, plain: list[np.ndarray], tmp_path: pathlib.Path
) -> None:
    once = blended(tmp_path / 'once', mix)
    fine_tuning.assert_equal(once, blended(tmp_path / 'again', mix))
    assert any((a != b).any() for a, b in zip(once, plain, strict=True))


def test_averages_are_scored_and_kept_while_training_goes_on_from_the_weights_themselves(
    tmp_path: pathlib.Path,
) -> None:
    """The averages are computed here anew, from the weights after each step."""
    paths: dict[float, list[list[np.ndarray]]] = {}
    for average in (0.0, 0.75):
        chosen = settings(average=average, batch_norm='affine')
        classifier = fine_tuning.classifier(chosen)
        steps = fine_tuning.Steps(functools.partial(fine_tuning.weights, classifier))
        with progress.listening(steps):
            tuned = run(classifier, tmp_path / str(average), chosen)
        paths[average] = steps.seen
    assert len(paths[0.75]) == 6
    for averaged, plain in zip(paths[0.75], paths[0.0], strict=True):
        fine_tuning.assert_equal(averaged, plain)
    means = [paths[0.75][0]]
    for now in paths[0.75][1:]:
        means.append([0.75 * a + 0.25 * b for a, b in zip(means[-1], now, strict=True)])
    expected = means[tuned.best_epoch * 3 - 1]
    for found, mean in zip(fine_tuning.weights(classifier), expected, strict=True):
        np.testing.assert_allclose(found, mean, rtol=1e-5, atol=1e-6)
    assert any(
        (a != b).any() for a, b in zip(expected, paths[0.75][tuned.best_epoch * 3 - 1], strict=True)
    )
    val = tiny.images(16, seed=1)
    again = scores.score(classifier.predict(val.values), val.labels)
    assert again.accuracy == tuned.best.val.accuracy
    assert again.log_loss == pytest.approx(tuned.best.val.log_loss, rel=1e-6)


@pytest.mark.parametrize('average', [0.0, 0.5])
def test_best_epoch_is_restored_and_training_stops_early(
    average: float, tmp_path: pathlib.Path
) -> None:
    """With the labels of val exchanged, learning makes val worse: no later epoch is better."""
    val = tiny.images(16, seed=1)
    val = LabelledSet(val.values, 1 - val.labels, val.ids)
    classifier = tiny.classifier(dropout=0.0)
    chosen = settings(epochs=8, patience=2, average=average)
    tuned = run(classifier, tmp_path, chosen, tiny.images(48), val)
    reached = [Scores(epoch.val_accuracy, epoch.val_loss, 16) for epoch in tuned.history]
    assert reached[tuned.best_epoch - 1] == tuned.best.val
    top = max(one.accuracy for one in reached)
    assert tuned.best.val.accuracy >= top - math.sqrt(top * (1 - top) / 16)
    assert [epoch.epoch for epoch in tuned.history] == list(range(1, tuned.best_epoch + 3))
    assert len(tuned.history) < 8
    assert tuned.left_out == ()  # it was not for want of time
    # The weights are those of the best epoch: predicting again gives its scores again.
    again = scores.score(classifier.predict(val.values), val.labels)
    assert again.accuracy == tuned.best.val.accuracy
    assert again.log_loss == pytest.approx(tuned.best.val.log_loss, rel=1e-6)


def test_loss_that_is_not_finite_names_the_learning_rate(tmp_path: pathlib.Path) -> None:
    classifier = tiny.classifier()
    kernel, bias = classifier.head.get_weights()
    classifier.set_head(np.full_like(kernel, np.inf), bias)
    with pytest.raises(FloatingPointError, match='lower training.fine_tune.learning_rate .*0.01'):
        run(classifier, tmp_path, settings())


def test_predictions_that_are_not_finite_name_the_learning_rate(tmp_path: pathlib.Path) -> None:
    """The last step of an epoch can break the model after a loss that was finite: val shows it."""
    classifier = tiny.classifier()
    for layer in classifier.backbone.model.layers[2:]:
        if isinstance(layer, keras.layers.Conv2D):  # a base that passes brightness on, from 0
            layer.set_weights([np.full(layer.kernel.shape, 0.1), np.zeros(8)])
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([np.ones(8), np.zeros(8), np.zeros(8), np.ones(8)])
    classifier.set_head(np.full((8, 2), 3e38), np.zeros(2))
    black, white = (_plain(value) for value in (0, 255))
    with pytest.raises(FloatingPointError, match='lower training.fine_tune.learning_rate'):
        run(classifier, tmp_path, settings(epochs=1), black, white)


def _plain(value: int) -> LabelledSet:
    data = tiny.images(8)
    return LabelledSet(np.full_like(data.values, value), data.labels, data.ids)
