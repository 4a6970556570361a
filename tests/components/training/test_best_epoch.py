"""The best epoch of a fine-tuning, and what a checkpoint keeps of its history."""

from __future__ import annotations

import pathlib

import keras
import numpy as np

from thawline.components.training import budget, checkpoint, scores
from thawline.components.training.best_epoch import EpochHistory, Snapshot
from thawline.components.training.model_selection import ValPredictions
from thawline.components.training.record import EpochRecord


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
