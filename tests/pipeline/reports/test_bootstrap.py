"""Differences on the same images against published ones, scikit-learn and repetition."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.evaluation.metrics import Answers
from thawline.components.report import metrics
from thawline.pipeline.reports import bootstrap
from thawline.pipeline.reports.bootstrap import Difference, Weighted


def made(n: int, classes: int, seed: int) -> Answers:
    generator = np.random.default_rng(seed)
    # Few different values, so that some tie.
    raw = generator.integers(1, 6, (n, classes)).astype(np.float32)
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    answers = probabilities.argmax(axis=1)
    labels = np.where(generator.random(n) < 0.6, answers, generator.integers(classes, size=n))
    return Answers(labels, answers, probabilities.max(axis=1), probabilities)


def closed_form(only_first: int, only_second: int, n: int) -> list[float]:
    """Ends by the quartic of Yang, Sun and Hardin (Statistics in Medicine, 2013)."""
    g = scipy.stats.norm.ppf(0.975) ** 2
    gap, both = only_second - only_first, only_second + only_first
    quartic = [
        n**2 * (n / g + 1) ** 2,
        -n * gap * (n / g + 1) * (4 * n / g + 1),
        2 * n * gap**2 * (3 * n / g + 2) / g - n**2 * (both / g + 1),
        n * gap * (2 * both / g + 1) - gap**3 * (4 * n / g + 1) / g,
        gap**2 * (gap**2 / g - both) / g,
    ]
    real = [root.real for root in np.roots(quartic) if abs(root.imag) < 1e-9]
    return [min(real), max(real)]


@pytest.mark.parametrize(
    ('only_first', 'only_second', 'n'), [(40, 20, 160), (7, 1, 21), (3, 5, 30), (12, 2, 50)]
)
def test_the_interval_of_shares_is_tangos(only_first, only_second, n):
    found = bootstrap.of_shares(only_first, only_second, n)
    assert [found.lower, found.upper] == pytest.approx(
        closed_form(only_first, only_second, n), abs=1e-6
    )


@given(st.integers(1, 300), st.data())
def test_the_interval_holds_the_difference_and_turns_with_the_models(n, data):
    first = data.draw(st.integers(0, n))
    second = data.draw(st.integers(0, n - first))
    found, turned = bootstrap.of_shares(first, second, n), bootstrap.of_shares(second, first, n)
    assert -1 <= found.lower <= found.value <= found.upper <= 1
    assert found.upper > found.lower
    assert [found.lower, found.upper] == pytest.approx([-turned.upper, -turned.lower], abs=1e-9)
    # The score test of no difference is McNemar's.
    if first + second:
        z = abs(second - first) / np.sqrt(first + second)
        if abs(z - 1.959964) > 1e-4:
            assert found.clear == (z > 1.959964)


def test_images_without_a_flip_still_leave_a_difference_open():
    z = scipy.stats.norm.ppf(0.975) ** 2
    found = bootstrap.of_shares(0, 0, 100)
    assert [found.lower, found.upper] == pytest.approx([-z / (100 + z), z / (100 + z)])


@pytest.mark.parametrize('counts', [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_impossible_counts(counts):
    with pytest.raises(ValueError, match='Received'):
        bootstrap.of_shares(*counts)


def test_the_interval_covers_the_truth():
    generator = np.random.default_rng(0)
    n, only_first, only_second = 80, 0.06, 0.12
    drawn = generator.multinomial(n, [only_first, only_second, 1 - only_first - only_second], 1500)
    covered = 0
    for a, b, _ in drawn.tolist():
        found = bootstrap.of_shares(a, b, n)
        covered += found.lower <= only_second - only_first <= found.upper
    assert 0.93 < covered / len(drawn) < 0.97


@pytest.mark.parametrize('classes', [2, 3, 5])
def test_weights_count_as_repetitions(classes):
    answers = made(60, classes, seed=classes)
    weights = np.random.default_rng(1).integers(0, 4, (5, 60)).astype(float)
    found = Weighted(answers)(weights)
    for draw in range(5):
        rows = np.repeat(np.arange(60), weights[draw].astype(int))
        repeated = metrics.overall(answers.take(rows))
        assert found.keys() == repeated.keys()
        for name, value in repeated.items():
            assert found[name][draw] == pytest.approx(value, abs=1e-6), name


def test_without_numbers_there_is_what_needs_none():
    answers, other = made(60, 4, seed=0), made(60, 4, seed=1)
    broken = np.arange(60) % 3 == 0
    answers.answers[broken], answers.probabilities[broken] = metrics.NO_ANSWER, np.nan
    answers.scores[broken] = np.nan
    other = Answers(answers.labels, other.answers, other.scores, other.probabilities)
    found = Weighted(answers)(np.ones((1, 60)))
    assert set(found) == {'balanced_accuracy', 'macro_f1'}
    expected = metrics.overall(answers)
    assert {name: values[0] for name, values in found.items()} == pytest.approx(
        {name: expected[name] for name in found}
    )
    for first, second in ((answers, other), (other, answers)):
        assert set(bootstrap.of_measures(first, second)) == set(found)
    assert set(bootstrap.of_measures(other, other)) > set(found)


def test_a_model_does_not_differ_from_itself():
    answers = made(40, 3, seed=0)
    assert set(bootstrap.of_measures(answers, answers).values()) == {(0.0, 0.0)}


def test_bootstrap_intervals_are_as_wide_as_the_spread_of_samples():
    generator = np.random.default_rng(0)
    gains = []
    for seed in range(60):
        first, second = made(200, 3, seed), made(200, 3, 1000 + seed)
        second = Answers(first.labels, second.answers, second.scores, second.probabilities)
        gains.append(metrics.overall(second)['log_loss'] - metrics.overall(first)['log_loss'])
    low, high = bootstrap.of_measures(first, second, seed=int(generator.integers(9)))['log_loss']
    assert high - low == pytest.approx(2 * 1.96 * np.std(gains), rel=0.35)


def test_areas_of_many_images_in_many_classes_have_no_interval(monkeypatch):
    monkeypatch.setattr(bootstrap, '_MOST_RANKED', 100)
    answers = made(60, 3, seed=0)
    assert 'auc_ovr' not in bootstrap.of_measures(answers, answers)


def test_an_interval_that_ends_at_0_is_not_clear():
    assert not Difference(0.1, 0.0, 0.2).clear
    assert not Difference(0.1, None, None).clear
    assert Difference(-0.1, -0.2, -0.05).clear
