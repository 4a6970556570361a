"""Differences of shares on the same images against published ones and repetition."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.statistics import paired


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
    difference = paired.share_difference(only_first, only_second, n)
    assert [difference.lower, difference.upper] == pytest.approx(
        closed_form(only_first, only_second, n), abs=1e-6
    )


@given(st.integers(1, 300), st.data())
def test_the_interval_holds_the_difference_and_turns_with_the_models(n, data):
    first = data.draw(st.integers(0, n))
    second = data.draw(st.integers(0, n - first))
    difference, turned = (
        paired.share_difference(first, second, n),
        paired.share_difference(second, first, n),
    )
    assert -1 <= difference.lower <= difference.value <= difference.upper <= 1
    assert difference.upper > difference.lower
    assert [difference.lower, difference.upper] == pytest.approx(
        [-turned.upper, -turned.lower], abs=1e-9
    )
    # The score test of no difference is McNemar's.
    if first + second:
        z = abs(second - first) / np.sqrt(first + second)
        if abs(z - 1.959964) > 1e-4:
            assert difference.clear == (z > 1.959964)


def test_images_without_a_flip_still_leave_a_difference_open():
    z = scipy.stats.norm.ppf(0.975) ** 2
    difference = paired.share_difference(0, 0, 100)
    assert [difference.lower, difference.upper] == pytest.approx([-z / (100 + z), z / (100 + z)])


@pytest.mark.parametrize('counts', [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_impossible_counts(counts):
    with pytest.raises(ValueError, match='Received'):
        paired.share_difference(*counts)


def test_the_interval_covers_the_truth():
    generator = np.random.default_rng(0)
    n, only_first, only_second = 80, 0.06, 0.12
    drawn = generator.multinomial(n, [only_first, only_second, 1 - only_first - only_second], 1500)
    covered = 0
    for a, b, _ in drawn.tolist():
        difference = paired.share_difference(a, b, n)
        covered += difference.lower <= only_second - only_first <= difference.upper
    assert 0.93 < covered / len(drawn) < 0.97
