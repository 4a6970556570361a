"""Bounds and tests against their formulas, SciPy's references and their guarantees."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats

from thawline.components.statistics import proportions

counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
few = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
shares = st.floats(0.01, 0.999)


def formula(hits: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson (1927), as it stands in textbooks."""
    p = hits / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


@hypothesis.given(counts)
def test_interval_equals_the_formula(case: tuple[int, int]) -> None:
    hits, n = case
    interval = proportions.wilson(hits, n)
    lower, upper = formula(hits, n)
    assert interval.lower == pytest.approx(max(0.0, lower), abs=1e-9)
    assert interval.upper == pytest.approx(min(1.0, upper), abs=1e-9)
    assert (interval.share, interval.n) == (hits / n, n)
    assert 0 <= interval.lower <= hits / n <= interval.upper <= 1


def test_known_values() -> None:
    """Newcombe (Statistics in Medicine, 1998), table I, method 3."""
    for hits, n, lower, upper in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        interval = proportions.wilson(hits, n)
        assert (round(interval.lower, 4), round(interval.upper, 4)) == (lower, upper)


def test_more_confidence_is_a_wider_interval() -> None:
    assert proportions.wilson(80, 100, 0.99).lower < proportions.wilson(80, 100).lower
    assert proportions.lower_bound(80, 100, 0.99) < proportions.lower_bound(80, 100)


def test_nothing_counted_says_nothing() -> None:
    assert proportions.wilson(0, 0) == proportions.Interval(None, 0.0, 1.0, 0)
    assert proportions.lower_bound(0, 0) == 0.0


@pytest.mark.parametrize(('hits', 'n'), [(-1, 5), (6, 5), (1, 0)])
def test_impossible_counts_are_refused(hits: int, n: int) -> None:
    for function in (proportions.wilson, proportions.lower_bound):
        with pytest.raises(ValueError, match=f'{hits} of {n}'):
            function(hits, n)
    with pytest.raises(ValueError, match=f'{hits} of {n}'):
        proportions.fisher_p_value(hits, n, 1, 2)


@hypothesis.given(counts)
def test_bound_is_the_lower_of_the_two_references(case: tuple[int, int]) -> None:
    hits, n = case
    exact = scipy.stats.binomtest(hits, n).proportion_ci(0.95, method='exact').low
    bound = proportions.lower_bound(hits, n)
    assert bound == pytest.approx(min(exact, max(0.0, formula(hits, n)[0])), abs=1e-9)
    assert 0 <= bound <= hits / n
    if hits:
        assert proportions.lower_bound(hits - 1, n) <= bound


def test_bound_of_arrays_is_that_of_each() -> None:
    hits, n = np.array([[0, 1, 7]]), np.array([[10], [50]])
    bounds = proportions.lower_bounds(hits, n)
    assert bounds.shape == (2, 3)
    assert bounds.tolist() == [[proportions.lower_bound(h, m) for h in (0, 1, 7)] for m in (10, 50)]


@hypothesis.given(st.integers(1, 1500), shares)
def test_at_the_threshold_one_model_in_forty_is_blessed_at_most(n: int, threshold: float) -> None:
    """What Wilson's interval alone does not keep to: see the next test."""
    needed = proportions.hits_needed(n, threshold)
    wrong = 0.0 if needed is None else scipy.stats.binom.sf(needed - 1, n, threshold)
    assert wrong <= 0.025 + 1e-12


def test_wilsons_interval_alone_blesses_too_many() -> None:
    reached = [h for h in range(55) if proportions.wilson(h, 54).lower >= 0.8]
    assert scipy.stats.binom.pmf(reached, 54, 0.8).sum() > 0.028


@hypothesis.given(st.integers(1, 3000), shares)
def test_hits_needed_are_the_fewest(n: int, threshold: float) -> None:
    needed = proportions.hits_needed(n, threshold)
    if needed is None:
        assert proportions.lower_bound(n, n) < threshold
    else:
        assert proportions.lower_bound(needed, n) >= threshold
        assert needed == 0 or proportions.lower_bound(needed - 1, n) < threshold


@hypothesis.given(shares, st.floats(0.001, 0.3))
def test_images_needed_decide_and_one_fewer_does_not(threshold: float, above: float) -> None:
    share = min(1.0, threshold + above)
    needed = proportions.images_needed(share, threshold)
    assert needed is not None
    assert proportions.lower_bounds(share * needed, needed) >= threshold
    if needed > 1:
        assert proportions.lower_bounds(share * (needed - 1), needed - 1) < threshold


def test_no_number_of_images_decides_what_is_not_above() -> None:
    assert proportions.images_needed(0.8, 0.8) is None
    assert proportions.images_needed(0.7, 0.8) is None
    assert proportions.images_needed(1.0, 1.0) is None
    assert proportions.images_needed(0.8 + 1e-6, 0.8) is None
    assert proportions.images_needed(1.0, 0.8) == 17
    assert proportions.images_needed(0.85, 0.8) == 254


@hypothesis.given(few, few)
def test_lower_share_is_fishers_exact_test(one: tuple[int, int], other: tuple[int, int]) -> None:
    table = [[one[0], one[1] - one[0]], [other[0], other[1] - other[0]]]
    reference = scipy.stats.fisher_exact(table, alternative='less').pvalue
    p_value = proportions.fisher_p_value(*one, *other)
    assert p_value == pytest.approx(reference, abs=1e-9)
    assert 0 <= p_value <= 1
    if one[0] < one[1]:
        more = proportions.fisher_p_value(one[0] + 1, one[1], *other)
        assert more >= p_value - 1e-12


def test_empty_set_is_not_lower() -> None:
    assert proportions.fisher_p_value(0, 0, 5, 5) == 1.0
    assert proportions.fisher_p_value(0, 5, 0, 0) == 1.0


@hypothesis.given(few, few)
def test_hits_not_lower_are_the_fewest(one: tuple[int, int], other: tuple[int, int]) -> None:
    needed = proportions.hits_not_lower(one[1], *other, 0.05)
    assert proportions.fisher_p_value(needed, one[1], *other) >= 0.05
    if needed:
        assert proportions.fisher_p_value(needed - 1, one[1], *other) < 0.05


@pytest.mark.parametrize('share', [0.5, 0.9, 0.99])
def test_an_anytime_interval_is_hardly_ever_left(share: float) -> None:
    """Who looks again and again sees the share outside in 5 % of cases at most, unlike Wilson's."""
    sizes = [*range(1, 60), *range(60, 301, 10)]
    hits = (np.random.default_rng(0).random((300, 300)) < share).cumsum(axis=1)
    anytime = functools.cache(proportions.anytime_interval)
    wilson = functools.cache(proportions.wilson)

    def left(interval: Callable[[int, int], proportions.Interval]) -> float:
        looks = [[interval(int(row[size - 1]), size) for size in sizes] for row in hits]
        outside = [any(not i.lower <= share <= i.upper for i in intervals) for intervals in looks]
        return float(np.mean(outside))

    assert left(anytime) <= 0.05
    assert left(wilson) > 0.1


def test_an_anytime_interval_narrows_and_holds_its_share() -> None:
    few, many = (proportions.anytime_interval(9 * n, 10 * n) for n in (3, 300))
    assert few.lower < many.lower < 0.9 < many.upper < few.upper
    assert many.upper - many.lower < 0.05
    alone = proportions.anytime_interval(10, 10)
    assert (alone.share, alone.upper) == (1, 1) and 0.6 < alone.lower < 0.7
    assert proportions.anytime_interval(0, 10).lower == 0
    assert proportions.anytime_interval(0, 0) == proportions.Interval(None, 0, 1, 0)
    with pytest.raises(ValueError, match='5 of 3'):
        proportions.anytime_interval(5, 3)
