"""Counts of a group of images against scikit-learn, and at the edges of what can be computed."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import sklearn.metrics

from thawline.components.evaluation import metrics
from thawline.components.evaluation.metrics import Answers


def answers(n: int, classes: int, seed: int, unknown: int = 0) -> Answers:
    """Random predictions; the last `unknown` images are of classes that training never saw."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    labels[n - unknown :] = -1
    # With ties, which a rank must share out.
    shares = rng.multinomial(20, rng.dirichlet(np.ones(classes), n)) / 20
    probabilities = shares.astype(np.float32)
    chosen = rng.integers(0, classes, n)
    return Answers(labels, chosen, probabilities[np.arange(n), chosen], probabilities)


@hypothesis.given(st.integers(2, 60), st.integers(2, 6), st.integers(0, 9), st.integers(0, 2))
@hypothesis.settings(deadline=None, max_examples=60)
def test_areas_are_those_of_scikit_learn(n: int, classes: int, seed: int, unknown: int) -> None:
    sample = answers(n, classes, seed, unknown)
    known = sample.known
    areas = metrics.by_class(sample)['auc']
    for place in range(classes):
        mine = known.labels == place
        if 0 < mine.sum() < len(mine):
            expected = sklearn.metrics.roc_auc_score(mine, known.probabilities[:, place])
            assert areas[place] == pytest.approx(expected)
        else:
            assert np.isnan(areas[place])


def test_calibration_error_is_that_of_its_definition() -> None:
    sample = answers(200, 4, 0, unknown=5)
    expected = 0.0
    for low in np.arange(10) / 10:
        last = low == 0.9
        rows = (sample.scores >= low) & ((sample.scores < low + 0.1) | last)
        if rows.any():
            gap = sample.scores[rows].mean(dtype=float) - sample.hits[rows].mean()
            expected += abs(gap) * rows.mean()
    assert metrics.calibration_error(sample) == pytest.approx(expected, abs=2e-3)
    sure = np.ones(3, np.float32)
    three = Answers(np.array([0, 0, 1]), np.zeros(3, int), sure, np.tile([1, 0], (3, 1)))
    assert metrics.calibration_error(three) == pytest.approx(1 / 3)


def test_unknown_classes_count_against_accuracy_alone() -> None:
    sample = answers(50, 3, 1, unknown=10)
    known = sample.known
    assert len(known) == 40 and not sample.hits[-10:].any()
    assert metrics.overall(sample)['macro_f1'] == metrics.overall(known)['macro_f1']
    assert sum(metrics.confusion(sample).values()) == 40
    matrix = sklearn.metrics.confusion_matrix(known.labels, known.answers)
    assert all(matrix[cell] == count for cell, count in metrics.confusion(sample).items())


@pytest.mark.parametrize('rows', [0, 5])
def test_what_cannot_be_computed_is_nan(rows: int) -> None:
    """No image at all, or only images of unknown classes."""
    nothing = answers(rows, 4, 0, unknown=rows)
    overall = metrics.overall(nothing)
    assert {name for name, value in overall.items() if not np.isnan(value)} <= {
        'expected_calibration_error'
    }
    assert np.isnan(overall['expected_calibration_error']) == (rows == 0)
    assert all(np.isnan(values).all() for values in metrics.by_class(nothing).values())
    assert metrics.confusion(nothing) == {}


def test_probabilities_that_are_no_numbers_leave_what_needs_none() -> None:
    sample = answers(30, 4, 0)
    sample.probabilities[3, 1] = np.nan
    numbers = metrics.overall(sample)
    assert np.isnan(numbers['log_loss']) and np.isnan(numbers['auc_ovr'])
    assert numbers['macro_f1'] == sklearn.metrics.f1_score(
        sample.labels, sample.answers, average='macro'
    )


def test_a_label_beside_no_numbers_is_no_answer() -> None:
    whole = answers(60, 4, 2, unknown=10)
    whole.probabilities[::5, 1] = np.nan
    sample = Answers.from_served(whole.labels, whole.answers, whole.scores, whole.probabilities)
    assert not sample.hits[::5].any() and not sample.hits[-10:].any()
    assert np.isnan(sample.scores[::5]).all() and np.isnan(metrics.calibration_error(sample))
    known = sample.known
    assert metrics.overall(sample)['macro_f1'] == pytest.approx(
        sklearn.metrics.f1_score(known.labels, known.answers, labels=range(4), average='macro')
    )
    confusion = metrics.confusion(sample)
    assert sum(confusion.values()) == known.has_answer.sum() < len(known)
    assert min(answer for _, answer in confusion) >= 0
