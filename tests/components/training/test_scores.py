"""The two numbers of every decision, against scikit-learn's."""

from __future__ import annotations

import hypothesis
import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from thawline.components.training.scores import Scores, score


@hypothesis.given(st.data(), st.integers(1, 30), st.integers(2, 6))
def test_equal_to_scikit_learn(data: st.DataObject, n: int, classes: int) -> None:
    # Distinct logits a row: scikit-learn is handed the same argmax.
    values = st.floats(-10, 10, width=32)
    logits = data.draw(arrays.arrays(np.float32, (n, classes), elements=values))
    labels = data.draw(arrays.arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    scored = score(logits, labels)
    probabilities = scipy.special.softmax(logits.astype(np.float64), axis=1)
    expected = sklearn.metrics.log_loss(labels, probabilities, labels=range(classes))
    assert scored.accuracy == sklearn.metrics.accuracy_score(labels, logits.argmax(1))
    assert scored.log_loss == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert scored.n == n


def test_log_loss_stays_finite_where_a_probability_is_zero() -> None:
    scored = score(np.array([[1000.0, 0.0]], np.float32), np.array([1]))
    assert scored == Scores(0.0, 1000.0, 1)


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_logit_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match='not finite'):
        score(np.array([[0.0, 1.0], [bad, 0.0]]), np.array([0, 1]))


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(ValueError, match='no image'):
        score(np.empty((0, 3)), np.empty(0, np.int64))


@pytest.mark.parametrize(
    ('one', 'other', 'better'),
    [
        (Scores(0.9, 5.0, 10), Scores(0.8, 0.1, 10), True),
        (Scores(0.8, 0.1, 10), Scores(0.9, 5.0, 10), False),
        (Scores(0.9, 0.1, 10), Scores(0.9, 0.2, 10), True),
        (Scores(0.9, 0.2, 10), Scores(0.9, 0.1, 10), False),
        (Scores(0.9, 0.1, 10), Scores(0.9, 0.1, 10), False),
    ],
)
def test_accuracy_decides_then_log_loss(one: Scores, other: Scores, better: bool) -> None:
    assert one.better_than(other) is better
