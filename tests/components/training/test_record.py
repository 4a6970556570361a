"""The file of a training: its keys, and that readers of it see what was written."""

from __future__ import annotations

import json
import math
import pathlib
from typing import Any

import pytest

from tests import made_records
from thawline.components.shared.errors import DataError
from thawline.components.training.record import (
    Affinity,
    AugmentationRecord,
    BudgetRecord,
    CalibratedScores,
    Calibration,
    DecisionRecord,
    Scores,
    ThresholdScores,
    TrainingRecord,
)

ALWAYS = {
    'classes', 'images', 'probe', 'val', 'kept', 'soft_labels', 'seconds', 'left_out', 'decision',
    'base', 'tuned', 'environment', 'share', 'validation',
}  # fmt: skip
HALF = ThresholdScores(0.5, 0.5, 0.5, 0.5)
FULL = made_records.training(
    fine_tune=made_records.fine_tuned(0.9, 2, (3, 6)),
    kept='interpolated',
    left_out=('1 of 3 epochs',),
    budget=BudgetRecord(30.0, 28.5),
    interpolation={'0': CalibratedScores(0.8, 0.5, 10, 0.4)},
    augmentation=AugmentationRecord('flips', {'standard': Affinity(0.4, 1.2, math.inf, 0.3)}),
    without_test_time_augmentation=Scores(0.7, 0.5, 10),
    decision=DecisionRecord(
        'f1', 1.2, 0.4, 'a', Calibration(1.2, 0.6, 0.5, 0.1, 0.05), 'F1 ...', HALF, HALF
    ),
    tuned={'fine_tune.blocks': 3},
)


def written(training: TrainingRecord, folder: pathlib.Path) -> dict[str, Any]:
    training.write(folder)
    values: dict[str, Any] = json.loads((folder / TrainingRecord.FILE).read_text('utf-8'))
    return values


@pytest.mark.parametrize('training', [made_records.training(), FULL])
def test_what_is_written_comes_back(tmp_path: pathlib.Path, training: TrainingRecord) -> None:
    training.write(tmp_path)
    assert TrainingRecord.read(tmp_path) == training


def test_keys_of_phases_that_were_left_out_are_absent(tmp_path: pathlib.Path) -> None:
    values = written(made_records.training(), tmp_path)
    assert set(values) == ALWAYS and values['tuned'] is None
    assert set(values['probe']) == {'c', 'train', 'val'}
    assert set(values['val']) == {'accuracy', 'log_loss', 'n'}
    decision = {'aim', 'temperature', 'threshold', 'positive', 'summary'}
    assert set(values['decision']) == decision and values['decision']['positive'] is None
    values = written(FULL, tmp_path)
    assert set(values) == ALWAYS | {
        'fine_tune', 'interpolation', 'augmentation', 'without_test_time_augmentation', 'budget',
    }  # fmt: skip
    assert set(values['decision']) == decision | {'calibration', 'val', 'val_argmax'}
    assert set(values['fine_tune']) == {'best_epoch', 'blocks', 'epochs', 'val', 'history'}
    assert set(values['fine_tune']['history'][0]) == {
        'epoch', 'train_loss', 'train_accuracy', 'val_loss', 'val_accuracy', 'blocks', 'rate',
        'seconds', 'side',
    }  # fmt: skip
    assert set(values['interpolation']['0']) == {
        'accuracy', 'log_loss', 'n', 'calibrated_log_loss',
    }  # fmt: skip


def test_record_of_an_earlier_version_is_read(tmp_path: pathlib.Path) -> None:
    values = written(FULL, tmp_path)
    for name in ('tuned', 'soft_labels', 'left_out', 'environment'):
        del values[name]
    del values['fine_tune']['history'][0]['side']
    values['removed'] = {'since': 'then'}
    (tmp_path / TrainingRecord.FILE).write_text(json.dumps(values), 'utf-8')
    earlier = TrainingRecord.read(tmp_path)
    assert earlier.tuned is None and earlier.soft_labels == 0 and earlier.left_out == ()
    assert earlier.epochs[0].side == 0 and earlier.val == FULL.val


def test_damaged_record_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / TrainingRecord.FILE).write_text('{"kept": "probe"', 'utf-8')
    with pytest.raises(DataError, match=f'{tmp_path}/{TrainingRecord.FILE}'):
        TrainingRecord.read(tmp_path)
