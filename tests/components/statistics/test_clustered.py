"""Shares and their differences, held against SciPy and against simulation."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats

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
