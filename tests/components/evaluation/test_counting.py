"""What the gate judges, counted from predictions."""

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
from thawline.components.evaluation.predictions import Predictions

# The last image has no label.
SPLITS = np.array(['val'] * 5 + ['test'] * 2 + ['val'])
LABELS = np.array([0, 0, 1, -1, 1, 0, 1, -1])
ANSWERS = np.array([0, 1, 1, 1, 1, 0, 0, 0])
BASELINE = np.array([1, 0, 1, 0, 1, 0, 0, 0])
SITES = np.array(['a', 'b', 'a', None, 'b', 'c', 'a', 'a'], object)
SITE = {'column': 'meta_site', 'accuracy': 0.5}
GATE = Gate.model_validate({'slices': [SITE, SITE]})


def predictions(
    baseline: np.ndarray | None = BASELINE, probabilities: np.ndarray | None = None
) -> Predictions:
    chances = np.full((8, 3), 0.5, np.float32) if probabilities is None else probabilities
    ids = np.arange(8).astype(str)
    return Predictions(
        ids, ids, SPLITS, LABELS, np.arange(8) < 7, ANSWERS, chances[:, 0], chances, baseline,
        {'meta_site': SITES}, ('x', 'y', 'none of these'),
    )  # fmt: skip


def test_counts() -> None:
    counts = counting.count(predictions(), GATE)
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
    assert counts.baseline == PairedCount(won=1, lost=1, n=5)
    assert counts.calibration_error == pytest.approx(0.1)
    assert counts.not_finite == 0
    assert counting.count(predictions(), Gate()).slices == ()


def test_change_of_classes_stands_for_the_baseline() -> None:
    change = ClassChange(('y',), ('z',))
    assert counting.count(predictions(None), Gate(), change).baseline == change
    assert counting.count(predictions(None), Gate()).baseline is None


def test_images_without_a_finite_answer_are_counted_once() -> None:
    chances = np.full((8, 3), 0.5, np.float32)
    chances[0] = np.nan
    chances[6, 1] = np.inf
    counts = counting.count(predictions(probabilities=chances), Gate())
    assert counts.not_finite == 2
    assert counts.calibration_error is not None and np.isnan(counts.calibration_error)
