"""What the gate judges, counted from predictions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from thawline.components.evaluation import counting
from thawline.components.evaluation.gate.class_change import ClassChange
from thawline.components.evaluation.gate.counts import (
    ChangedFiles,
    HitCount,
    NoRecord,
    PairedCount,
    SliceCount,
)
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.predictions import Predictions
from thawline.components.evaluation.units import Joining

# The last image has no label.
SPLITS = np.array(['val'] * 5 + ['test'] * 2 + ['val'])
LABELS = np.array([0, 0, 1, -1, 1, 0, 1, -1])
ANSWERS = np.array([0, 1, 1, 1, 1, 0, 0, 0])
# Asked about images of test, and about one without a label.
BASELINE = np.array([-2, -2, -2, -2, -2, 1, 1, 0])
SITES = np.array(['a', 'b', 'a', None, 'b', 'c', 'a', 'a'], object)
SITE = {'column': 'meta_site', 'accuracy': 0.5}
GATE = Gate.model_validate({'slices': [SITE, SITE]})


def predictions(
    baseline: np.ndarray | None = BASELINE, probabilities: np.ndarray | None = None
) -> Predictions:
    chances = np.full((8, 3), 0.5, np.float32) if probabilities is None else probabilities
    ids = np.arange(8).astype(str)
    return Predictions(
        ids, ids, SPLITS, ids, LABELS, np.arange(8) < 7, ANSWERS, chances[:, 0], chances, baseline,
        {'meta_site': SITES}, ('x', 'y', 'none of these'),
    )  # fmt: skip


def test_images_in_folds_are_not_called_val_images() -> None:
    table = predictions()
    plain, in_folds = (counting.count(table, GATE, in_folds=folds) for folds in (False, True))
    assert plain.val.kind == 'val'
    assert in_folds.val == dataclasses.replace(plain.val, kind='')
    assert {count.kind for count in in_folds.classes.values()} == {''}
    assert {part.count.kind for part in in_folds.slices} == {''}


def test_units_are_counted_in_place_of_images() -> None:
    table = predictions()
    # Of val: 0 and 2 are one unit, all others are alone.
    labels = np.array([0, 1, 0, 1, -1, 1, 0, 0])
    table = dataclasses.replace(table, labels=labels, clusters=np.array(['u', 'v', 'u', *'wxyzt']))
    by_image = counting.count(table, Gate())
    assert by_image.val.groups == by_image.val.n - 1
    joined = counting.count(
        table, Gate(unit='group'), PairedCount(0, 0, 0), joining=Joining('majority', 0.5, 0)
    )
    assert joined.val.n == by_image.val.n - 1 and joined.val.unit == 'group'
    assert joined.val.groups is None
    assert joined.classes['x'].n == by_image.classes['x'].n - 1
    assert joined.baseline is not None and joined.calibration_error == by_image.calibration_error


def test_counts() -> None:
    counts = counting.count(predictions(), GATE, PairedCount(0, 0, 0))
    assert (counts.val, counts.test) == (HitCount(3, 5), HitCount(1, 2))
    assert counts.classes == {
        'x': HitCount(1, 2),
        'y': HitCount(2, 2),
        'none of these': HitCount(0, 0),
    }
    # Without a value an image is in no slice, and test is not asked; each slice is there once.
    assert counts.slices == (
        SliceCount('meta_site', 'a', HitCount(2, 2)),
        SliceCount('meta_site', 'b', HitCount(1, 2)),
    )
    assert counts.baseline == PairedCount(won=1, lost=1, n=2)
    assert counts.calibration_error == pytest.approx(0.1)
    assert counts.not_finite == 0
    assert counting.count(predictions(), Gate()).slices == ()


def test_pairs_are_the_labelled_images_that_the_baseline_was_asked_about() -> None:
    for asked, expected in (
        ([-2, -2, -2, -2, -2, -2, 0, -2], PairedCount(0, 0, 1)),
        ([-2, -2, -2, -2, -2, 0, -2, -2], PairedCount(0, 0, 1)),
        # The candidate does not know the class of the fourth.
        ([-2, -2, -2, -1, -2, 1, -2, -2], PairedCount(1, 0, 1)),
        ([-2, -2, -2, -2, -2, -2, -2, 0], PairedCount(0, 0, 0)),
    ):
        counted = counting.count(predictions(np.array(asked)), Gate(), PairedCount(0, 0, 0))
        assert counted.baseline == expected


def test_an_answer_of_a_class_that_the_candidate_lacks_is_wrong() -> None:
    change = ClassChange((), ('gone',))
    asked = np.array([-2, -2, -2, -2, -2, -1, -1, -2])
    counted = counting.count(predictions(asked), Gate(), PairedCount(0, 0, 0, change))
    assert counted.baseline == PairedCount(won=1, lost=0, n=2, classes=change)


@pytest.mark.parametrize('reason', [None, NoRecord(), ChangedFiles('x'), PairedCount(0, 0, 0)])
def test_a_baseline_that_was_not_asked(
    reason: PairedCount | NoRecord | ChangedFiles | None,
) -> None:
    assert counting.count(predictions(None), Gate(), reason).baseline == reason


def test_images_without_a_finite_answer_are_counted_once() -> None:
    chances = np.full((8, 3), 0.5, np.float32)
    chances[0] = np.nan
    chances[6, 1] = np.inf
    counts = counting.count(predictions(probabilities=chances), Gate())
    assert counts.not_finite == 2
    assert counts.calibration_error is not None and np.isnan(counts.calibration_error)
