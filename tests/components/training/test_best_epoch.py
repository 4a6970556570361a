"""A killed training ends where an undisturbed one ends, and a look at the clock leaves no trace."""

from __future__ import annotations

import functools
import logging
import pathlib
import tempfile
from typing import Any

import keras
import numpy as np
import pytest

from tests.components.training import fine_tuning
from tests.components.training.fine_tuning import Killed, attempt, run, settings, timeless
from thawline.components.shared import progress
from thawline.components.training import budget, checkpoint, fine_tune, optimizer, params, scores
from thawline.components.training.best_epoch import EpochHistory, EpochRecord, Snapshot
from thawline.components.training.model_selection import ValPredictions

EPOCHS = 4
STEPS = 3  # of 24 images in batches of 8

# Each keeps something else that a resumed training needs.
VARIANTS: dict[str, dict[str, Any]] = {
    'plain': {},
    'stages': {'blocks': 'all', 'stages': 4},
    'average': {'average': 0.75},
    'updated': {'batch_norm': 'updated'},
    'cached': {'cached_views': 2},
    'cutmix': {'mix': 'cutmix', 'class_weights': 'balanced'},
    'all': {'blocks': 'all', 'stages': 2, 'average': 0.5, 'batch_norm': 'updated', 'mix': 'mixup'},
}


def variant(name: str) -> params.Training:
    return settings(epochs=EPOCHS, weight_decay=0.01, **VARIANTS[name])


@functools.cache
def undisturbed(name: str) -> tuple[fine_tune.FineTuning, list[np.ndarray]]:
    """The end of the training that nobody kills or hurries: its outcome and all weights."""
    chosen = variant(name)
    classifier = fine_tuning.classifier(chosen)
    with tempfile.TemporaryDirectory() as folder:
        tuned = run(classifier, pathlib.Path(folder), chosen)
    return tuned, fine_tuning.weights(classifier)


def kept_epochs(folder: pathlib.Path) -> int:
    state = checkpoint.CheckpointFile(folder, 'key').load()
    assert state is not None
    return len(state.meta['history'])


def assert_resumes(folder: pathlib.Path, name: str, epochs_kept: int) -> None:
    chosen, (expected, weights) = variant(name), undisturbed(name)
    assert kept_epochs(folder) == epochs_kept
    classifier = fine_tuning.classifier(chosen)
    # The resumed process has another random state.
    keras.utils.set_random_seed(99)
    seen: list[int] = []
    steps: list[progress.Progress] = []
    with progress.listening(steps.append):
        tuned = run(classifier, folder, chosen, on_epoch=lambda epoch: seen.append(epoch.epoch))
    assert seen == [1, 2, 3, 4]  # the curves show the epochs before the kill too
    assert steps[1].done == epochs_kept * STEPS  # and none of them was trained again
    assert timeless(tuned) == timeless(expected)
    fine_tuning.assert_equal(fine_tuning.weights(classifier), weights)


def test_killed_between_epochs(tmp_path: pathlib.Path) -> None:
    def kill(epoch: EpochRecord) -> None:
        if epoch.epoch == 3:
            raise Killed

    chosen = variant('plain')
    with pytest.raises(Killed):
        run(fine_tuning.classifier(chosen), tmp_path, chosen, on_epoch=kill)
    assert_resumes(tmp_path, 'plain', epochs_kept=2)  # the epoch of the kill was not yet kept


@pytest.mark.parametrize('name', sorted(VARIANTS))
def test_killed_within_an_epoch(name: str, tmp_path: pathlib.Path) -> None:
    def kill(now: progress.Progress) -> None:
        if now.done == 2 * STEPS + 2:
            raise Killed

    chosen = variant(name)
    with pytest.raises(Killed), progress.listening(kill):
        run(fine_tuning.classifier(chosen), tmp_path, chosen)
    assert_resumes(tmp_path, name, epochs_kept=2)


def test_complete_state_trains_nothing_more(tmp_path: pathlib.Path) -> None:
    chosen = variant('plain')
    run(fine_tuning.classifier(chosen), tmp_path, chosen)
    assert_resumes(tmp_path, 'plain', epochs_kept=EPOCHS)


class Clock:
    """Goes on by `pace` whenever it is looked at, and else when it is told to."""

    def __init__(self, pace: float = 0.0) -> None:
        self.seconds, self._pace = 0.0, pace

    def __call__(self) -> float:
        self.seconds += self._pace
        return self.seconds


@pytest.mark.parametrize('name', sorted(VARIANTS))
def test_measuring_an_epoch_leaves_no_trace(name: str, tmp_path: pathlib.Path) -> None:
    """With time for everything the weights are bitwise those of a training without a budget."""
    chosen, (expected, weights) = variant(name), undisturbed(name)
    classifier = fine_tuning.classifier(chosen)
    tuned = run(classifier, tmp_path, chosen, deadline=budget.Deadline(1e9, Clock()))
    fine_tuning.assert_equal(fine_tuning.weights(classifier), weights)
    assert timeless(tuned) == timeless(expected)
    assert expected.plan.epoch_seconds is None
    assert tuned.plan.epoch_seconds is not None and tuned.plan.epoch_seconds > 0
    assert tuned.left_out == []
    assert len(tuned.history) == EPOCHS


@pytest.mark.parametrize('looks', [0, 2])
@pytest.mark.parametrize('name', ['plain', 'all'])
def test_without_time_the_model_stays_as_it_was(
    looks: int, name: str, tmp_path: pathlib.Path
) -> None:
    """Also where the time goes by while measuring, which trains a few steps."""
    chosen = variant(name)
    classifier = fine_tuning.classifier(chosen)
    before = [np.array(variable) for variable in classifier.model.variables]
    seen: list[progress.Progress] = []
    with progress.listening(seen.append):
        deadline = budget.Deadline(looks + 0.5, Clock(pace=1.0))
        tuned = attempt(classifier, tmp_path, chosen, deadline=deadline)
    assert tuned is None
    assert any('timing' in now.what for now in seen) is (looks > 0)
    fine_tuning.assert_equal([np.array(v) for v in classifier.model.variables], before)
    assert checkpoint.CheckpointFile(tmp_path, 'key').load() is None


def test_budget_that_runs_out_ends_after_the_epoch(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()

    def late(epoch: EpochRecord) -> None:
        clock.seconds += 1000.0 if epoch.epoch == 2 else 0.0

    chosen = variant('plain')
    classifier = fine_tuning.classifier(chosen)
    with caplog.at_level(logging.WARNING):
        tuned = run(
            classifier, tmp_path, chosen, on_epoch=late, deadline=budget.Deadline(1000.0, clock)
        )
    assert [epoch.epoch for epoch in tuned.history] == [1, 2]
    assert 'stopped after epoch 2' in caplog.text
    assert (tuned.plan.epochs, tuned.left_out) == (2, ['2 of 4 epochs'])
    assert tuned.best_epoch in (1, 2)


def test_seconds_before_a_kill_are_of_the_budget_too(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Epochs of 400 s in a budget of 1000 s: three begin, wherever the training was killed."""
    chosen = variant('plain')
    seen: list[int] = []

    def attempt_with(clock: Clock, kill_at: int | None) -> fine_tune.FineTuning:
        def late(epoch: EpochRecord) -> None:
            if epoch.epoch in seen:  # shown again, not trained again
                return
            if epoch.epoch == kill_at:
                raise Killed
            seen.append(epoch.epoch)
            clock.seconds += 400.0

        deadline = budget.Deadline(1000.0, clock)
        return run(
            fine_tuning.classifier(chosen), tmp_path, chosen, on_epoch=late, deadline=deadline
        )

    with pytest.raises(Killed):
        attempt_with(Clock(), kill_at=2)
    with caplog.at_level(logging.WARNING):
        tuned = attempt_with(Clock(), kill_at=None)
    assert seen == [1, 2, 3]
    assert 'stopped after epoch 3' in caplog.text
    assert tuned.left_out == ['1 of 4 epochs']


def test_rate_falls_over_the_epochs_that_fit_and_a_resumed_training_keeps_to_them(
    tmp_path: pathlib.Path,
) -> None:
    chosen = settings(epochs=100_000)  # more than fit, however fast

    def kill(epoch: EpochRecord) -> None:
        if epoch.epoch == 3:
            raise Killed

    with pytest.raises(Killed):
        run(
            fine_tuning.classifier(chosen),
            tmp_path,
            chosen,
            on_epoch=kill,
            deadline=budget.Deadline(60.0, Clock()),
        )
    state = checkpoint.CheckpointFile(tmp_path, 'key').load()
    assert state is not None
    planned = state.meta['epochs']
    assert 3 < planned < 100_000
    seen: list[progress.Progress] = []
    rates: list[float] = []

    def note(epoch: EpochRecord) -> None:
        rates.append(epoch.rate)
        kill(epoch)

    # Without a budget now, and still with the plan of then.
    with pytest.raises(Killed), progress.listening(seen.append):
        run(fine_tuning.classifier(chosen), tmp_path, chosen, on_epoch=note)
    assert seen[0].total == planned * STEPS
    expected = [optimizer.learning_rate(1e-2, step, planned * STEPS, 0.1) for step in range(9)]
    assert rates == [max(expected[i : i + 3]) for i in (0, 3, 6)]


def variable(value: float) -> keras.Variable:
    return keras.Variable(np.full(2, value, np.float32))


def an_epoch(number: int, val: float = 0.5) -> EpochRecord:
    return EpochRecord(number, 1.0, 0.5, 1.0, val, 2, 0.01, 1.0, 16)


LABELS = np.array([0, 1] * 4)


def seen(right: int, sure: float) -> ValPredictions:
    """So many of eight right; of equal ones the calibrated loss is lower where it is as `sure`."""
    says = np.where(np.arange(8) < right, LABELS, 1 - LABELS)
    logits = np.eye(2, dtype=np.float32)[says]
    # A right answer counts for more than a wrong one, by so much.
    logits[:right] *= sure
    return ValPredictions(logits, scores.score(logits, LABELS))


def test_snapshot_goes_back() -> None:
    weights = [variable(1.0), keras.Variable(3, dtype='int64')]
    before = Snapshot(weights)
    for weight in weights:
        weight.assign(weight + 1)
    before.restore()
    np.testing.assert_array_equal(weights[0], [1.0, 1.0])
    assert int(weights[1]) == 3


def test_the_best_epoch_is_that_of_the_lowest_calibrated_loss_among_about_equals() -> None:
    weight = variable(0.0)
    history = EpochHistory([weight], [], LABELS)
    assert (history.best_epoch, history.best) == (0, None)
    # The third is surer where it is right; the fourth is the same; the fifth is surer still, but
    # clearly less accurate.
    results = [seen(4, 1.0), seen(6, 1.0), seen(5, 9.0), seen(5, 9.0), seen(2, 99.0)]
    for number, one in enumerate(results, start=1):
        weight.assign(np.full(2, number, np.float32))
        history.add(an_epoch(number, one.val.accuracy), one)
    assert history.best_epoch == 3 and len(history.epochs) == 5
    assert history.best is results[2]
    history.restore_best()
    np.testing.assert_array_equal(weight, [3.0, 3.0])


def test_state_goes_round_and_one_of_another_training_is_not_taken_up(
    tmp_path: pathlib.Path,
) -> None:
    weight, other = variable(1.0), variable(5.0)
    history = EpochHistory([weight], [other], LABELS)
    history.plan = budget.ThawPlan(3, 2, epoch_seconds=1.5)
    history.add(an_epoch(1), seen(4, 1.0))
    weight.assign(np.full(2, 2.0, np.float32))
    kept = checkpoint.CheckpointFile(tmp_path, 'key')
    kept.save(history.checkpoint(elapsed=2.5))
    again = EpochHistory([variable(9.0)], [variable(9.0)], LABELS)
    saved = kept.load()
    assert again.resume(saved)
    assert saved is not None and saved.meta['elapsed'] == 2.5
    assert again.best is not None and history.best is not None
    np.testing.assert_array_equal(again.best.logits, history.best.logits, strict=True)
    assert again.epochs == history.epochs
    assert (again.best_epoch, again.best.val) == (1, history.best.val)
    assert again.plan == budget.ThawPlan(3, 2)
    np.testing.assert_array_equal(again.weights[0], [2.0, 2.0])
    again.restore_best()
    np.testing.assert_array_equal(again.weights[0], [1.0, 1.0])
    # One variable more than the state has.
    larger = EpochHistory([variable(9.0)], [variable(9.0), variable(9.0)], LABELS)
    assert not larger.resume(kept.load()) and not larger.resume(None)
    np.testing.assert_array_equal(larger.weights[0], [9.0, 9.0])
    assert larger.epochs == []
