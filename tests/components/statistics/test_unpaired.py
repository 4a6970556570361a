from __future__ import annotations

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.statistics.proportions import wilson
from thawline.components.statistics.unpaired import unpaired_difference


def test_difference_is_newcombes() -> None:
    """56/70 against 48/80: the example of Newcombe 1998, table II, method 10."""
    found = unpaired_difference(wilson(48, 80), wilson(56, 70))
    assert astuple(found) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
    assert unpaired_difference(wilson(1, 2), wilson(0, 0)) is None


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_difference_is_antisymmetric_and_inside_its_interval(
    n: int, m: int, data: st.DataObject
) -> None:
    one = wilson(data.draw(st.integers(0, n)), n)
    other = wilson(data.draw(st.integers(0, m)), m)
    found, mirrored = (
        unpaired_difference(one, other),
        unpaired_difference(other, one),
    )
    assert found is not None and mirrored is not None
    change, low, high = astuple(found)
    assert -1 - 1e-9 <= low <= change <= high <= 1 + 1e-9
    assert astuple(mirrored) == pytest.approx((-change, -high, -low))
