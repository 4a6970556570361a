"""Shares and their differences, held against SciPy and against simulation."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from thawline.components.statistics import clustered


def singles(n: int) -> np.ndarray:
    return np.arange(n)


@pytest.mark.parametrize(('hits', 'n'), [(37, 50), (1, 20), (0, 20), (20, 20), (500, 1000)])
def test_one_image_a_group_gives_wilsons_interval(hits, n):
    estimate = clustered.estimate(np.arange(n) < hits, singles(n))
    ends = scipy.stats.binomtest(hits, n).proportion_ci(method='wilson')
    # The effective size has the usual n - 1 in it, which the textbook interval lacks.
    assert estimate.share == hits / n and estimate.n == n
    assert estimate.lower == pytest.approx(ends.low, abs=0.01)
    assert estimate.upper == pytest.approx(ends.high, abs=0.01)
    assert estimate.standard_error == pytest.approx(scipy.stats.sem(np.arange(n) < hits))


def test_copies_in_a_group_add_no_certainty():
    hits = np.random.default_rng(0).random(60) < 0.8
    alone = clustered.estimate(hits, singles(60))
    copied = clustered.estimate(np.repeat(hits, 5), np.repeat(singles(60), 5))
    assert copied.standard_error == pytest.approx(alone.standard_error)
    assert copied.lower == pytest.approx(alone.lower) and copied.upper == pytest.approx(alone.upper)


@hypothesis.given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
def test_an_interval_holds_its_share_and_stays_within_bounds(pairs):
    hits, groups = (np.array(column) for column in zip(*pairs, strict=True))
    estimate = clustered.estimate(hits, groups)
    assert (
        0 <= estimate.lower <= estimate.share + 1e-12
        and estimate.share - 1e-12 <= estimate.upper <= 1
    )


def test_nothing_to_score():
    with pytest.raises(ValueError, match='no images'):
        clustered.estimate(np.zeros(0, bool), singles(0))


def test_paired_error_is_smaller_than_that_of_two_shares():
    rng = np.random.default_rng(1)
    easy = rng.random(400) < 0.8
    better = easy | (rng.random(400) < 0.2)
    gain = clustered.accuracy_gain(better, easy, singles(400))
    apart = np.hypot(*(clustered.estimate(h, singles(400)).standard_error for h in (better, easy)))
    assert gain.mean == pytest.approx(better.mean() - easy.mean())
    assert gain.standard_error < 0.6 * apart
    assert gain.significant
    back = clustered.accuracy_gain(easy, better, singles(400))
    assert (back.mean, back.lower) == (-gain.mean, -gain.upper) and not back.significant


def test_a_handful_of_images_proves_nothing():
    all_right, all_wrong = np.ones(5, bool), np.zeros(5, bool)
    gain = clustered.accuracy_gain(all_right, all_wrong, singles(5))
    assert gain.lower > 0 and gain.p_value == pytest.approx(0.0625)
    assert not gain.significant
    one_group = clustered.accuracy_gain(np.ones(50, bool), np.zeros(50, bool), np.zeros(50))
    assert not one_group.significant


def test_no_gain_is_claimed_by_chance_more_often_than_it_should():
    rng = np.random.default_rng(2)
    claims = sum(
        clustered.accuracy_gain(rng.random(80) < 0.7, rng.random(80) < 0.7, singles(80)).significant
        for _ in range(400)
    )
    assert claims / 400 < 0.05


def test_results_on_other_images_cannot_be_compared():
    with pytest.raises(ValueError, match='3 and 2 images'):
        clustered.accuracy_gain(np.ones(3, bool), np.ones(2, bool), singles(3))


def test_an_area_is_that_of_scikit_learn_with_the_error_of_delong():
    rng = np.random.default_rng(3)
    positive = np.arange(90) < 30
    scores = np.round(rng.normal(size=90) + positive, 1)  # with ties
    area = clustered.area(scores, positive, singles(90))
    assert area.share == pytest.approx(sklearn.metrics.roc_auc_score(positive, scores))
    ahead = (scores[positive][:, None] > scores[~positive]) + 0.5 * (
        scores[positive][:, None] == scores[~positive]
    )
    variance = ahead.mean(axis=1).var(ddof=1) / 30 + ahead.mean(axis=0).var(ddof=1) / 60
    assert area.standard_error == pytest.approx(variance**0.5, rel=0.03)
    copied = clustered.area(np.repeat(scores, 4), np.repeat(positive, 4), np.repeat(singles(90), 4))
    assert copied.standard_error == pytest.approx(area.standard_error)


@pytest.mark.parametrize(('new', 'shift'), [(20, 0.0), (20, 1.0), (20, 2.0), (200, 1.0)])
def test_the_interval_of_an_area_holds_the_true_one(new, shift):
    rng, draws = np.random.default_rng(0), 300
    truth = scipy.stats.norm.cdf(shift / 2**0.5)
    positive = np.arange(new + 200) < new
    held = 0
    for _ in range(draws):
        area = clustered.area(
            rng.normal(size=new + 200) + shift * positive, positive, singles(new + 200)
        )
        held += area.lower <= truth <= area.upper
    assert held / draws >= 0.93


def test_areas_at_the_edge():
    positive = np.arange(30) < 10
    area = clustered.area(positive.astype(float), positive, singles(30))
    assert area.share == area.upper == 1 and 0.7 < area.lower < 0.9  # of ten images
    assert clustered.area(np.zeros(30), positive, singles(30)).share == 0.5
    with pytest.raises(ValueError, match='0 of 30 positive'):
        clustered.area(np.zeros(30), np.zeros(30, bool), singles(30))
