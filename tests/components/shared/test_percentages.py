"""Shares in percent, for terminals and, with a space that does not break, for pages."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import pytest

from thawline.components.report import formatting
from thawline.components.report.content import Interval
from thawline.components.shared import percentages


@pytest.mark.parametrize(
    ('share', 'decimals', 'text'),
    [(0.0, 1, '0.0 %'), (0.8421, 1, '84.2 %'), (1.0, 0, '100 %'), (0.79996, 3, '79.996 %')],
)
def test_percent(share: float, decimals: int, text: str) -> None:
    assert percentages.percent(share, decimals) == text
    assert formatting.percent(share, decimals) == text.replace(' ', '\u00a0')


@hypothesis.given(st.floats(0, 1), st.floats(0, 1))
def test_a_page_says_the_same_and_breaks_no_number(lower: float, upper: float) -> None:
    text = percentages.between(lower, upper)
    assert text == f'{100 * lower:.1f} to {percentages.percent(upper)}'
    assert formatting.interval_ends(Interval(upper, lower, upper, 9)) == text.replace(
        ' %', '\u00a0%'
    )


def test_what_is_not_known_is_a_dash() -> None:
    assert formatting.percent(None) == formatting.ABSENT
    assert formatting.interval_ends(Interval(None, 0.0, 1.0, 0)) == formatting.ABSENT


def test_only_the_space_of_a_number_does_not_break() -> None:
    said = "recall of 'a % b', 85.0 %, 95 % interval 76.7 to 90.7 %"
    shown = formatting.no_break(said)
    assert shown == "recall of 'a % b', 85.0\u00a0%, 95\u00a0% interval 76.7 to 90.7\u00a0%"
