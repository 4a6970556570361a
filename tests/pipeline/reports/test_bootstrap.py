"""Differences on the same images against published ones, scikit-learn and repetition."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.components.evaluation.metrics import Answers
from thawline.components.report import metrics
from thawline.components.statistics.paired_outcome import Difference
from thawline.pipeline.reports import bootstrap
from thawline.pipeline.reports.bootstrap import WeightedMetrics


def made(n: int, classes: int, seed: int) -> Answers:
    generator = np.random.default_rng(seed)
    # Few different values, so that some tie.
    raw = generator.integers(1, 6, (n, classes)).astype(np.float32)
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    answers = probabilities.argmax(axis=1)
    labels = np.where(generator.random(n) < 0.6, answers, generator.integers(classes, size=n))
    return Answers(labels, answers, probabilities.max(axis=1), probabilities)


@pytest.mark.parametrize('classes', [2, 3, 5])
def test_weights_count_as_repetitions(classes):
    answers = made(60, classes, seed=classes)
    weights = np.random.default_rng(1).integers(0, 4, (5, 60)).astype(float)
    found = WeightedMetrics(answers)(weights)
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
    found = WeightedMetrics(answers)(np.ones((1, 60)))
    assert set(found) == {'balanced_accuracy', 'macro_f1'}
    expected = metrics.overall(answers)
    assert {name: values[0] for name, values in found.items()} == pytest.approx(
        {name: expected[name] for name in found}
    )
    for first, second in ((answers, other), (other, answers)):
        assert set(bootstrap.difference_intervals(first, second)) == set(found)
    assert set(bootstrap.difference_intervals(other, other)) > set(found)


def test_a_model_does_not_differ_from_itself():
    answers = made(40, 3, seed=0)
    assert set(bootstrap.difference_intervals(answers, answers).values()) == {(0.0, 0.0)}


def test_bootstrap_intervals_are_as_wide_as_the_spread_of_samples():
    generator = np.random.default_rng(0)
    gains = []
    for seed in range(60):
        first, second = made(200, 3, seed), made(200, 3, 1000 + seed)
        second = Answers(first.labels, second.answers, second.scores, second.probabilities)
        gains.append(metrics.overall(second)['log_loss'] - metrics.overall(first)['log_loss'])
    low, high = bootstrap.difference_intervals(first, second, seed=int(generator.integers(9)))[
        'log_loss'
    ]
    assert high - low == pytest.approx(2 * 1.96 * np.std(gains), rel=0.35)


def test_clusters_are_drawn_whole():
    """Copies of images say nothing new; taken as independent, they would halve the interval."""
    first, second = made(60, 3, 1), made(60, 3, 2)
    second = Answers(first.labels, second.answers, second.scores, second.probabilities)
    copies = np.tile(np.arange(60), 4)
    four = [of.take(copies) for of in (first, second)]
    alone = bootstrap.difference_intervals(first, second)
    together = bootstrap.difference_intervals(*four, copies.astype(str))
    for name, interval in alone.items():
        assert together[name] == pytest.approx(interval)
    low, high = bootstrap.difference_intervals(*four)['log_loss']
    assert high - low < 0.6 * (alone['log_loss'][1] - alone['log_loss'][0])


def test_areas_of_many_images_in_many_classes_have_no_interval(monkeypatch):
    monkeypatch.setattr(bootstrap, '_MOST_RANKED', 100)
    answers = made(60, 3, seed=0)
    assert 'auc_ovr' not in bootstrap.difference_intervals(answers, answers)


def test_an_interval_that_ends_at_0_is_not_clear():
    assert not Difference(0.1, 0.0, 0.2).clear
    assert not Difference(0.1, None, None).clear
    assert Difference(-0.1, -0.2, -0.05).clear
