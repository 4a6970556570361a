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


Z = scipy.stats.norm.ppf(0.975)


def wilson_holds(end: float, estimate: clustered.Estimate) -> bool:
    """Whether an end is as far from the share as the error there allows (Wilson 1927)."""
    error = end * (1 - end) / estimate.effective
    return (end - estimate.share) ** 2 == pytest.approx(Z**2 * error)


def test_intervals_are_wilsons_over_the_effective_size():
    estimate = clustered.estimate(np.arange(50) < 37, singles(50))
    assert estimate.effective == pytest.approx(49)  # the usual n - 1
    assert wilson_holds(estimate.lower, estimate) and wilson_holds(estimate.upper, estimate)
    hits = np.array([True, True, True, False])
    pairs = clustered.estimate(hits, np.array([0, 0, 1, 1]))
    assert pairs.standard_error == pytest.approx(0.25) and pairs.effective == pytest.approx(3)
    assert wilson_holds(pairs.lower, pairs) and wilson_holds(pairs.upper, pairs)
    together = clustered.estimate(hits, np.zeros(4))
    assert np.isnan(together.standard_error) and together.effective == 1
    assert wilson_holds(together.lower, together) and wilson_holds(together.upper, together)


@pytest.mark.parametrize('n', range(1, 40))
def test_shares_of_none_and_all_have_their_end_there(n):
    none = clustered.estimate(np.zeros(n, bool), singles(n))
    every = clustered.estimate(np.ones(n, bool), singles(n))
    assert (none.lower, every.upper, none.effective, every.effective) == (0.0, 1.0, n, n)
    assert every.lower == pytest.approx(n / (n + Z**2))
    assert none.upper == pytest.approx(1 - every.lower)


def newcombe_holds(end: float, share: float, wins: float, losses: float) -> bool:
    """Method 5 of Newcombe 2006, as he writes it."""
    mean = (wins + losses) / 2 - 1
    spread = 1 + mean * (1 - end) / (2 - end) + mean * end / (1 + end)
    return (end - share) ** 2 == pytest.approx(Z**2 * end * (1 - end) * spread / (wins * losses))


def area_of_ninety(copies: int, groups: int = 90) -> clustered.Estimate:
    """Of 90 images, 30 of them positive, with so many copies of each in its group."""
    positive = np.arange(90) < 30
    scores = np.random.default_rng(3).normal(size=90) + positive
    columns = (scores, positive, np.arange(90) % groups)
    return clustered.area(*(np.repeat(column, copies) for column in columns))


@pytest.mark.parametrize('copies', [1, 4])
def test_ends_of_an_area_are_newcombes_over_what_the_groups_cost(copies):
    area = area_of_ninety(copies)
    effect = (90 * copies - 1) / 89
    for end in (area.lower, area.upper):
        assert newcombe_holds(end, area.share, 30 * copies / effect, 60 * copies / effect)
    assert area.n == 90 * copies and area.lower < area.share < area.upper


def test_an_area_in_one_group_counts_as_one_image():
    area = area_of_ninety(1, groups=1)
    assert np.isnan(area.standard_error)
    for end in (area.lower, area.upper):
        assert newcombe_holds(end, area.share, 30 / 90, 60 / 90)


@pytest.mark.parametrize(
    ('groups', 'error', 'effect'), [([0, 1, 1, 0], 0.5, 3), ([0, 1, 0, 1], 0, 2)]
)
def test_an_area_of_four_images_by_hand(groups, error, effect):
    positive = np.array([True, True, False, False])
    area = clustered.area(np.array([3.0, 1.0, 2.0, 0.0]), positive, np.array(groups))
    assert (area.share, area.standard_error) == (0.75, pytest.approx(error))
    for end in (area.lower, area.upper):
        assert newcombe_holds(end, 0.75, 2 / effect, 2 / effect)


def test_an_area_of_nothing_ends_where_one_of_everything_begins():
    positive = np.arange(30) < 10
    least = clustered.area(-positive.astype(float), positive, singles(30))
    most = clustered.area(positive.astype(float), positive, singles(30))
    assert (least.share, least.lower) == (0, 0)
    assert least.upper == pytest.approx(1 - most.lower)


def test_a_gain_is_that_of_students_t_and_mcnemar():
    rng = np.random.default_rng(4)
    hits, others = rng.random(60) < 0.9, rng.random(60) < 0.6
    gain = clustered.accuracy_gain(hits, others, singles(60))
    gained = hits.astype(float) - others.astype(float)
    interval = scipy.stats.ttest_1samp(gained, 0).confidence_interval(0.95)
    assert (gain.lower, gain.upper) == (pytest.approx(interval.low), pytest.approx(interval.high))
    wins, losses = int((gained > 0).sum()), int((gained < 0).sum())
    assert gain.p_value == pytest.approx(scipy.stats.binomtest(wins, wins + losses).pvalue)


def test_a_gain_of_few_groups_stays_within_bounds():
    ones, nothing = np.ones(3, bool), np.array([False, False, True])
    up, down = (
        clustered.accuracy_gain(*pair, singles(3)) for pair in ((ones, nothing), (nothing, ones))
    )
    assert (up.upper, down.lower) == (1.0, -1.0)
    assert -1 < up.lower == -down.upper < 1
    one = clustered.accuracy_gain(ones, nothing, np.zeros(3))
    assert np.isnan(one.standard_error)
    assert (one.mean, one.lower, one.upper, one.p_value) == (pytest.approx(2 / 3), -1, 1, 0.5)
    two = clustered.accuracy_gain(ones, nothing, np.array([0, 0, 1]))
    assert two.standard_error == pytest.approx(2**0.5 * 2**0.5 * 2 / 9)
    halves = np.repeat([0, 1], 50)
    gained = np.concatenate([np.arange(50) < 26, np.arange(50) < 24])
    gain = clustered.accuracy_gain(gained, np.zeros(100, bool), halves)
    half = 0.02 * scipy.stats.t.ppf(0.975, 1)
    assert (gain.lower, gain.upper) == (pytest.approx(0.5 - half), pytest.approx(0.5 + half))
