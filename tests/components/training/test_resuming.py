"""A killed training ends where an undisturbed one ends, and a look at the clock leaves no trace."""

from __future__ import annotations

import dataclasses
import functools
import logging
import pathlib
import tempfile
from typing import Any

import keras
import numpy as np
import pytest

from tests.components.training import fine_tuning
from tests.components.training.fine_tuning import Killed, run, settings, timeless
from thawline.components.shared import progress
from thawline.components.training import budget, checkpoint, fine_tune, optimizer, params
from thawline.components.training.record import EpochRecord

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


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """A training that nobody kills or hurries.

    Attributes:
        tuned, weights: its outcome and all weights.
        within: the files of its state in the middle of the third epoch, as a kill would leave them.
        end: the same after the last epoch.
    """

    tuned: fine_tune.FineTuning
    weights: list[np.ndarray]
    within: dict[str, bytes]
    end: dict[str, bytes]


@functools.cache
def undisturbed(name: str) -> Undisturbed:
    chosen = variant(name)
    classifier = fine_tuning.classifier(chosen)
    within: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:

        def look(now: progress.Progress) -> None:
            if now.done == 2 * STEPS + 2:
                within.update(files(folder))

        with progress.listening(look):
            tuned = run(classifier, pathlib.Path(folder), chosen)
        return Undisturbed(tuned, fine_tuning.weights(classifier), within, files(folder))


def files(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}


def write(folder: pathlib.Path, state: dict[str, bytes]) -> None:
    for name, content in state.items():
        (folder / name).write_bytes(content)


def kept_epochs(folder: pathlib.Path) -> int:
    state = checkpoint.CheckpointFile(folder, 'key').load()
    assert state is not None
    return len(state.meta['history'])


def assert_resumes(folder: pathlib.Path, name: str, epochs_kept: int) -> None:
    chosen, expected = variant(name), undisturbed(name)
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
    assert timeless(tuned) == timeless(expected.tuned)
    fine_tuning.assert_equal(fine_tuning.weights(classifier), expected.weights)


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
    write(tmp_path, undisturbed(name).within)
    assert_resumes(tmp_path, name, epochs_kept=2)


def test_complete_state_trains_nothing_more(tmp_path: pathlib.Path) -> None:
    write(tmp_path, undisturbed('plain').end)
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
    chosen, expected = variant(name), undisturbed(name)
    classifier = fine_tuning.classifier(chosen)
    tuned = run(classifier, tmp_path, chosen, deadline=budget.Deadline(1e9, Clock(1e-3)))
    fine_tuning.assert_equal(fine_tuning.weights(classifier), expected.weights)
    assert timeless(tuned) == timeless(expected.tuned)
    assert expected.tuned.plan.epoch_seconds is None
    assert tuned.plan.epoch_seconds is not None and tuned.plan.epoch_seconds > 0
    assert tuned.left_out == ()
    assert len(tuned.history) == EPOCHS


@pytest.mark.parametrize('name', ['plain', 'all'])
def test_without_time_the_model_stays_as_it_was(name: str, tmp_path: pathlib.Path) -> None:
    """Also where the time goes by while measuring, which trains a few steps."""
    chosen = variant(name)
    classifier = fine_tuning.classifier(chosen)
    before = [np.array(variable) for variable in classifier.model.variables]
    for seconds, measures in ((0.5, False), (1.4, True)):
        seen: list[progress.Progress] = []
        with progress.listening(seen.append), pytest.raises(budget.TooShort):
            run(classifier, tmp_path, chosen, deadline=budget.Deadline(seconds, Clock(pace=0.1)))
        assert any('timing' in now.what for now in seen) is measures
        fine_tuning.assert_equal([np.array(v) for v in classifier.model.variables], before)
        assert checkpoint.CheckpointFile(tmp_path, 'key').load() is None


@pytest.mark.parametrize(('seconds', 'pace'), [(20.0, 0.05), (60.0, 0.1)])
def test_a_budget_is_kept(seconds: float, pace: float, tmp_path: pathlib.Path) -> None:
    """Within a tenth, by a clock that goes on with each step of the work, and used but for that."""
    chosen = settings(epochs=100_000, patience=100_000)
    deadline = budget.Deadline(seconds, Clock(pace))
    tuned = run(fine_tuning.classifier(chosen), tmp_path, chosen, deadline=deadline)
    assert deadline.remaining is not None
    assert -0.1 * seconds < deadline.remaining < 0.1 * seconds
    assert tuned.plan.epochs < 100_000


def test_a_machine_that_turns_slow_cuts_an_epoch_short(tmp_path: pathlib.Path) -> None:
    """Of its three steps the first takes all that is left; what it trained is scored."""
    clock = Clock()
    deadline = budget.Deadline(1000.0, clock)
    chosen = variant('plain')

    def slow(now: progress.Progress) -> None:
        if now.what == 'fine-tuning steps' and now.done == STEPS + 1:
            clock.seconds = 1000.0

    with progress.listening(slow):
        tuned = run(fine_tuning.classifier(chosen), tmp_path, chosen, deadline=deadline)
    assert [epoch.epoch for epoch in tuned.history] == [1, 2]
    assert tuned.plan.epochs == 2 and tuned.plan.last == pytest.approx(1 / 3)
    assert tuned.left_out == ('2.7 of 4 epochs',)
    whole = undisturbed('plain').tuned.history
    assert tuned.history[0].train_loss == whole[0].train_loss
    assert tuned.history[1].train_loss != whole[1].train_loss


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
    assert (tuned.plan.epochs, tuned.left_out) == (2, ('2 of 4 epochs',))
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
    assert tuned.left_out == ('1 of 4 epochs',)


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
            deadline=budget.Deadline(60.0, Clock(1e-3)),
        )
    state = checkpoint.CheckpointFile(tmp_path, 'key').load()
    assert state is not None
    planned = budget.ThawPlan(state.meta['epochs'], 2, last=state.meta['last']).steps(STEPS)
    assert 3 * STEPS < planned < 100_000 * STEPS
    seen: list[progress.Progress] = []
    rates: list[float] = []

    def note(epoch: EpochRecord) -> None:
        rates.append(epoch.rate)
        kill(epoch)

    # Without a budget now, and still with the plan of then.
    with pytest.raises(Killed), progress.listening(seen.append):
        run(fine_tuning.classifier(chosen), tmp_path, chosen, on_epoch=note)
    assert seen[0].total == planned
    expected = [optimizer.learning_rate(1e-2, step, planned, 0.1) for step in range(9)]
    assert rates == [max(expected[i : i + 3]) for i in (0, 3, 6)]
