"""What the gate is given to judge, counted from predictions."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.components.evaluation import counting
from thawline.components.evaluation.gate.counts import (
    ClassChange,
    HitCount,
    PairedCount,
    SliceCount,
)
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.metrics import Answers

SPLITS = np.array(['val'] * 5 + ['test'] * 2)
LABELS = np.array([0, 0, 1, -1, 1, 0, 1])
ANSWERS = np.array([0, 1, 1, 1, 1, 0, 0])
BASELINE = np.array([1, 0, 1, 0, 1, 0, 0])
SITES = np.array(['a', 'b', 'a', None, 'b', 'c', 'a'], object)


def judged(probabilities: np.ndarray | None = None) -> counting.Judged:
    chances = np.full((7, 2), 0.5, np.float32) if probabilities is None else probabilities
    answers = Answers(LABELS, ANSWERS, chances[:, 0], chances)
    return counting.Judged(answers, SPLITS, BASELINE, {'meta_site': SITES})


def test_counts() -> None:
    found = counting.numbers(judged(), ('x', 'y', 'none of these'))
    assert (found.val, found.test) == (HitCount(3, 5), HitCount(1, 2))
    assert found.classes == {
        'x': HitCount(1, 2),
        'y': HitCount(2, 2),
        'none of these': HitCount(0, 0),
    }
    # Without a value an image is in no slice, and test is not asked.
    assert found.slices == (
        SliceCount('meta_site', 'a', HitCount(2, 2)),
        SliceCount('meta_site', 'b', HitCount(1, 2)),
    )
    assert found.baseline == PairedCount(won=1, lost=1, n=5)
    assert found.calibration_error == pytest.approx(0.1)
    assert found.not_finite == 0


def test_baseline_of_other_classes_is_handed_on() -> None:
    alone = counting.Judged(judged().answers, SPLITS, None, {})
    reset = ClassChange(('y',), ('z',))
    assert counting.numbers(alone, ('x', 'y'), reset).baseline == reset
    assert counting.numbers(alone, ('x', 'y')).baseline is None


def test_images_without_a_finite_answer_are_counted_once() -> None:
    chances = np.full((7, 2), 0.5, np.float32)
    chances[0] = np.nan
    chances[6, 1] = np.inf
    found = counting.numbers(judged(chances), ('x', 'y'))
    assert found.not_finite == 2
    assert found.calibration_error is not None and np.isnan(found.calibration_error)


def test_columns_of_rules_are_named_once() -> None:
    floors = [{'column': 'b', 'accuracy': 0.5}, {'column': 'a', 'accuracy': 0.5}] * 2
    assert counting.columns(Gate.model_validate({'slices': floors})) == ('b', 'a')
