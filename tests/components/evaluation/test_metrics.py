"""Wilson's interval against its formula; the metric's parts without Beam."""

from __future__ import annotations

import math

import hypothesis
import hypothesis.strategies as st
import pytest

import tfx.components  # noqa: F401  isort: skip - tfma is not whole without it

from components.evaluation import metrics


def formula(hits: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson (1927), as it stands in textbooks."""
    p = hits / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


@hypothesis.given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_equals_the_formula(case: tuple[int, int]) -> None:
    hits, n = case
    found = metrics.wilson(hits, n)
    lower, upper = formula(hits, n)
    assert found.lower == pytest.approx(max(0.0, lower), abs=1e-9)
    assert found.upper == pytest.approx(min(1.0, upper), abs=1e-9)
    assert 0 <= found.lower <= found.share <= found.upper <= 1
    assert (found.share, found.n) == (hits / n, n)


def test_known_values() -> None:
    """Newcombe (Statistics in Medicine, 1998), table I, method 3."""
    for hits, n, lower, upper in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = metrics.wilson(hits, n)
        assert (round(found.lower, 4), round(found.upper, 4)) == (lower, upper)


def test_more_confidence_is_a_wider_interval() -> None:
    assert metrics.wilson(80, 100, 0.99).lower < metrics.wilson(80, 100, 0.95).lower


def test_nothing_counted_says_nothing() -> None:
    found = metrics.wilson(0, 0)
    assert math.isnan(found.share)
    assert (found.lower, found.upper, found.n) == (0.0, 1.0, 0)
