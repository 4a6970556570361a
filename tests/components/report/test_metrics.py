"""Every number of the report against scikit-learn's own, or counted by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from thawline.components.evaluation.metrics import Answers
from thawline.components.evaluation.predictions import Predictions
from thawline.components.report import metrics as measures
from thawline.components.report.content import CalibrationBin


def answers(classes: int, n: int, seed: int = 0, unknown: int = 0) -> Answers:
    """Random answers that are right more often than not; the first `unknown` have no class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(0, 1, (n, classes)) + 1.5 * np.eye(classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = probabilities.argmax(axis=1)
    labels[:unknown] = -1
    return Answers(
        labels,
        found,
        probabilities.max(axis=1).astype(np.float32),
        probabilities.astype(np.float32),
    )


def take(some: Answers, rows: np.ndarray) -> Answers:
    return Answers(*(getattr(some, f.name)[rows] for f in dataclasses.fields(some)))


def error_of(bins: tuple[CalibrationBin, ...]) -> float:
    """The calibration error by its definition, from what the page shows."""
    gaps = [b.accuracy.n * abs(b.score - b.accuracy.share) for b in bins if b.accuracy.n]
    return sum(gaps) / sum(b.accuracy.n for b in bins)


@pytest.mark.parametrize('classes', [2, 5])
def test_overall_is_scikit_learns(classes: int) -> None:
    some = answers(classes, 200)
    found = measures.overall(some)
    one_hot = np.eye(classes)[some.labels]
    assert found.pop('ece') == pytest.approx(error_of(measures.calibration_bins(some)), abs=1e-6)
    expected = {
        'balanced_accuracy': metrics.balanced_accuracy_score(some.labels, some.answers),
        'macro_f1': metrics.f1_score(some.labels, some.answers, average='macro'),
        'log_loss': metrics.log_loss(some.labels, some.probabilities),
        'auc_ovr': metrics.roc_auc_score(one_hot, some.probabilities, average='macro'),
    }
    if classes > 3:
        expected['top_3_accuracy'] = metrics.top_k_accuracy_score(
            some.labels, some.probabilities, k=3
        )
    assert found == pytest.approx(expected, abs=1e-7)
    assert measures.accuracy(some.hits).share == metrics.accuracy_score(some.labels, some.answers)


def test_class_rows_are_scikit_learns() -> None:
    some = answers(3, 90)
    rows = measures.class_rows(some, ('a', 'b', 'c'), {'a': 7, 'c': 9})
    report = metrics.classification_report(
        some.labels, some.answers, target_names=['a', 'b', 'c'], output_dict=True
    )
    for row, trained in zip(rows, (7, 0, 9), strict=True):
        mine = report[row.name]
        assert (row.precision, row.recall.share, row.f1) == pytest.approx(
            (mine['precision'], mine['recall'], mine['f1-score'])
        )
        assert row.images == row.recall.n == mine['support'] and row.train_images == trained
        assert row.auc is not None and 0.5 < row.auc <= 1


def test_class_without_an_image_and_class_that_is_never_answered() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1]], np.float32)
    some = Answers(np.array([0, 1]), np.array([0, 0]), probabilities.max(axis=1), probabilities)
    first, second, third = measures.class_rows(some, ('a', 'b', 'c'), {})
    assert (first.precision, first.recall.share) == (0.5, 1.0)
    assert (second.precision, second.recall.share, second.f1) == (None, 0.0, 0.0)
    assert (third.recall.share, third.recall.n, third.f1, third.auc) == (None, 0, None, None)
    assert measures.overall(some)['balanced_accuracy'] == 0.5


def test_all_images_of_one_class() -> None:
    some = answers(2, 20)
    one = take(some, some.labels == 0)
    found = measures.overall(one)
    assert found['auc_ovr'] is None
    assert found['balanced_accuracy'] == one.hits.mean()
    assert found['log_loss'] == pytest.approx(-np.log(one.probabilities[:, 0]).mean(), rel=1e-5)


def test_class_that_training_never_saw_is_always_wrong_and_in_no_class() -> None:
    some = answers(4, 60, unknown=10)
    without = take(some, some.labels >= 0)
    assert measures.accuracy(some.hits).n == 60
    assert measures.accuracy(some.hits).share == without.hits.sum() / 60
    found, expected = measures.overall(some), measures.overall(without)
    assert {k: v for k, v in found.items() if k != 'ece'} == {
        k: v for k, v in expected.items() if k != 'ece'
    }
    assert sum(row.images for row in measures.class_rows(some, tuple('abcd'), {})) == 50


def broken(some: Answers, rows: np.ndarray) -> Answers:
    """Without numbers in these rows, as they come out of a table of predictions."""
    probabilities = some.probabilities.copy()
    probabilities[rows, 1] = np.nan
    n = len(some)
    columns = np.full(n, ''), np.full(n, ''), np.full(n, 'val'), np.arange(n).astype(str)
    table = Predictions(
        *columns, some.labels, np.ones(n, bool), some.answers, some.scores, probabilities,
        None, {}, tuple('abcd'),
    )  # fmt: skip
    return Answers.from_predictions(table, np.arange(n))


def test_images_without_numbers_are_wrong_and_what_needs_numbers_is_unknown() -> None:
    whole = answers(4, 60, unknown=10)
    rows = np.flatnonzero(whole.hits)[::3]
    some = broken(whole, rows)
    assert set(np.flatnonzero(~some.has_answer)) == set(rows)
    assert measures.accuracy(some.hits).n == 60
    assert some.hits.sum() == whole.hits.sum() - len(rows)
    assert np.isnan(some.scores[rows]).all() and not some.hits[:10].any()
    known = some.labels >= 0
    labels, found = some.labels[known], some.answers[known]
    told = measures.overall(some)
    assert told['macro_f1'] == pytest.approx(
        metrics.f1_score(labels, found, labels=range(4), average='macro')
    )
    assert told['balanced_accuracy'] == pytest.approx(
        metrics.recall_score(labels, found, labels=range(4), average='macro')
    )
    for name in ('log_loss', 'auc_ovr', 'top_3_accuracy', 'ece'):
        assert told[name] is None, name
    for place, row in enumerate(measures.class_rows(some, tuple('abcd'), {})):
        assert row.recall.n == (labels == place).sum() and row.auc is None
        assert row.precision == (labels == place)[found == place].mean()
    assert sum(one.accuracy.n for one in measures.calibration_bins(some)) == 60 - len(rows)


def test_no_image_with_numbers() -> None:
    some = broken(answers(4, 20), np.arange(20))
    assert measures.accuracy(some.hits).share == 0.0
    told = measures.overall(some)
    assert (told['balanced_accuracy'], told['macro_f1']) == (0.0, 0.0)
    rows = measures.class_rows(some, tuple('abcd'), {})
    assert {(row.precision, row.recall.share, row.f1) for row in rows} == {(None, 0.0, 0.0)}
    assert {one.score for one in measures.calibration_bins(some)} == {None}


def test_nothing_known_gives_no_number() -> None:
    some = answers(5, 3, unknown=3)
    found = measures.overall(some)
    assert {name for name, value in found.items() if value is not None} == {'ece'}
    empty = measures.overall(take(some, np.arange(0)))
    assert set(empty) == set(found) and not any(v is not None for v in empty.values())
    rows = measures.class_rows(some, tuple('abcde'), {})
    assert all(row.recall.share is None and row.precision is None for row in rows)


@given(
    st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), max_size=60),
)
def test_calibration_loses_no_image_and_agrees_with_its_error(
    pairs: list[tuple[float, bool]],
) -> None:
    scores = np.array([score for score, _ in pairs], np.float32)
    right = np.array([hit for _, hit in pairs], int)
    half = np.full((len(right), 2), 0.5, np.float32)
    some = Answers(np.ones(len(right), int), right, scores, half)
    found = measures.calibration_bins(some)
    assert sum(each.accuracy.n for each in found) == len(pairs)
    assert [each.upper for each in found[:-1]] == [each.lower for each in found[1:]]
    for each in found:
        assert (each.score is None) == (each.accuracy.n == 0)
        if each.score is not None:
            assert each.lower - 1e-6 <= each.score <= each.upper + 1e-6
    error = measures.overall(some)['ece']
    if pairs:
        assert error == pytest.approx(error_of(found), abs=1e-6)
    else:
        assert error is None
