"""Bounds over clusters: Clopper & Pearson's where all are alike, and never above the truth."""

from __future__ import annotations

import time

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.special
from hypothesis import given

from thawline.components.statistics import clustered, clustered_bound, proportions

MIXED = ((6, 6, 20), (3, 6, 5), (0, 6, 3), (1, 1, 10), (0, 1, 4), (7, 8, 1))
HITS, IMAGES = 152, 190
KINDS = st.tuples(st.integers(0, 6), st.integers(1, 6), st.integers(1, 8)).filter(
    lambda kind: kind[0] <= kind[1]
)
TALLIES = st.lists(KINDS, min_size=1, max_size=5, unique_by=lambda kind: kind[:2]).map(tuple)


def sums(tally):
    return sum(h * k for h, _, k in tally), sum(n * k for _, n, k in tally)


@given(st.integers(1, 2000), st.data(), st.sampled_from([1, 2, 7]))
def test_clusters_of_one_answer_are_single_images(n, data, size):
    """All of a cluster right or all wrong, and all of one size: the exact bound of the clusters."""
    hits = data.draw(st.integers(1, n))
    tally = tuple(kind for kind in ((size, size, hits), (0, size, n - hits)) if kind[-1])
    bound = clustered_bound.lower_bound(size * hits, size * n, tally)
    assert bound == pytest.approx(scipy.special.betaincinv(hits, n - hits + 1, 0.025), abs=1e-6)
    upper = clustered_bound.upper_bound(size * hits, size * n, tally, 0.01)
    assert upper == pytest.approx(proportions.upper_bound(hits, n, 0.01), abs=1e-6)


@given(st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_independent_images_keep_their_bound(case):
    assert clustered_bound.lower_bound(*case) == proportions.lower_bound(*case)
    assert clustered_bound.upper_bound(*case, alpha=0.01) == proportions.upper_bound(*case, 0.01)
    if case[1]:
        assert clustered_bound.interval(*case) == proportions.wilson(*case)
    assert clustered_bound.effective_count(*case) == case


def test_the_weighted_share_is_below_the_bound_in_as_many_cases_as_alpha():
    bound = clustered_bound.lower_bound(HITS, IMAGES, MIXED)
    right = np.repeat([h for h, _, _ in MIXED], [k for *_, k in MIXED])
    size = np.repeat([n for _, n, _ in MIXED], [k for *_, k in MIXED])
    added = (size**3).sum() / (size**2).sum()
    weights = np.random.default_rng(0).exponential(size=(200_000, len(size) + 1))
    below = weights @ np.append(right - bound * size, -bound * added) <= 0
    assert below.mean() == pytest.approx(0.025, abs=0.0015)


@given(TALLIES)
def test_bounds_enclose_the_share_and_follow_the_hits(tally):
    hits, n = sums(tally)
    lower = clustered_bound.lower_bound(hits, n, tally)
    upper = clustered_bound.upper_bound(hits, n, tally)
    assert 0 <= lower <= hits / n <= upper <= 1
    assert (lower == 0) == (hits == 0) and (upper == 1) == (hits == n)
    better = tuple((min(h + 1, m), m, k) for h, m, k in tally)
    assert clustered_bound.lower_bound(*sums(better), better) >= lower - 1e-9
    more = tuple((h, m, 2 * k) for h, m, k in tally)
    assert clustered_bound.lower_bound(2 * hits, 2 * n, more) >= lower - 1e-9
    interval = clustered_bound.interval(hits, n, tally)
    assert interval.n == n and interval.lower <= hits / n + 1e-12


def test_a_small_cluster_beside_many_single_images_costs_little():
    alone = proportions.lower_bound(456, 506)
    beside = clustered_bound.lower_bound(456, 506, ((1, 1, 450), (0, 1, 50), (6, 6, 1)))
    assert alone - 0.001 < beside < alone


def test_the_tally_counts_clusters_of_one_kind():
    hits = np.array([1, 1, 0, 1, 0, 0], bool)
    names = np.array(['a', 'b', 'a', 'c', 'd', 'd'])
    tally = clustered_bound.tally(hits, names)
    assert sorted(tally) == [(0, 2, 1), (1, 1, 2), (1, 2, 1)]
    assert clustered_bound.cluster_count(6, tally) == 4
    assert clustered_bound.tally(hits, np.arange(6)) == ()
    assert clustered_bound.tally(hits[:0], names[:0]) == ()
    interval, of = clustered_bound.interval(3, 6, tally), clustered.estimate(hits, names)
    assert (interval.lower, interval.upper) == (of.lower, of.upper)
    effective = clustered_bound.effective_count(3, 6, tally)
    assert effective[1] == int(of.effective) < 6


@given(TALLIES, st.sampled_from([0.3, 0.6, 0.8]))
def test_so_many_images_reach_a_share_at_this_accuracy(tally, share):
    hits, n = sums(tally)
    needed = clustered_bound.clusters_needed(hits, n, tally, share)
    if hits / n <= share:
        assert needed is None
    elif needed is not None and needed > n:
        larger = tuple((h, m, k * needed / n) for h, m, k in tally)
        bound = clustered_bound.lower_bound(hits * needed / n, needed, larger)
        assert bound == pytest.approx(share, abs=1 / n)


def test_a_tally_of_other_images_is_refused():
    with pytest.raises(ValueError, match='152 hits of 190. Received: 151 of 190'):
        clustered_bound.lower_bound(151, 190, MIXED)


def test_fifty_thousand_clusters_take_no_time():
    rng = np.random.default_rng(0)
    sizes = np.repeat(np.arange(50_000), rng.integers(1, 20, 50_000))
    hits = rng.random(len(sizes)) < 0.9
    started = time.perf_counter()
    tally = clustered_bound.tally(hits, sizes)
    bound = clustered_bound.lower_bound(int(hits.sum()), len(hits), tally)
    assert time.perf_counter() - started < 5
    assert hits.mean() - 0.003 < bound < hits.mean()


@pytest.mark.parametrize('agreement', [0.3, 1.0])
def test_wrong_blessings_of_groups_are_rare(agreement):
    """At a share of exactly 0.8: at most 2.5 % of bounds are above it; the naive one fails."""
    rng = np.random.default_rng(1)
    groups, size, above, naive = 60, 5, 0, 0
    for _ in range(600):
        chances = (
            rng.beta(0.8 * 1e-3, 0.2 * 1e-3, groups)
            if agreement == 1
            else rng.beta(0.8 * (1 / agreement - 1), 0.2 * (1 / agreement - 1), groups)
        )
        hits = rng.random((groups, size)) < chances[:, None]
        names = np.repeat(np.arange(groups), size)
        tally = clustered_bound.tally(hits.ravel(), names)
        count = int(hits.sum())
        above += clustered_bound.lower_bound(count, groups * size, tally) > 0.8
        naive += proportions.lower_bound(count, groups * size) > 0.8
    assert above <= 0.035 * 600 < naive
