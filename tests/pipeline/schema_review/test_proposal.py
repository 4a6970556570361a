"""Ranges hold the images that they are from, within what is possible."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import pytest

from thawline.pipeline.schema_review import proposal

sides = st.integers(1, 30_000)
shares = st.floats(0, 1)


@hypothesis.given(sides, sides)
def test_sizes_of_the_images_are_inside(a: int, b: int) -> None:
    least, most = proposal.size_bounds(min(a, b), max(a, b))
    assert 1 <= least <= min(a, b) and max(a, b) <= most
    assert least >= 16 or least == min(a, b)


@pytest.mark.parametrize(
    ('seen', 'bounds'), [((300, 300), (150, 600)), ((20, 40), (16, 80)), ((9, 9), (9, 18))]
)
def test_sizes(seen: tuple[int, int], bounds: tuple[int, int]) -> None:
    assert proposal.size_bounds(*seen) == bounds


@hypothesis.given(shares, shares)
def test_brightness_of_the_images_is_inside(a: float, b: float) -> None:
    least, most = proposal.lighting_bounds(min(a, b), max(a, b), 0.0, 1.0)
    assert 0 <= least <= min(a, b) and max(a, b) <= most <= 1
