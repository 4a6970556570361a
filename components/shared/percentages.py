"""Shares as people read them: in percent, with one decimal.

Files keep shares as numbers in [0, 1], and so does the configuration; all that is written for
people goes through here. The space is a plain one; a page makes it one that does not break
(`components.report.formatting`).
"""

from __future__ import annotations

from collections.abc import Callable

# Formats a number with so many decimals.
Format = Callable[[float, int], str]


def percent(share: float, decimals: int = 1) -> str:
    """0.8421 as '84.2 %'."""
    return f'{100 * share:.{decimals}f} %'


def between(lower: float, upper: float) -> str:
    """The ends of an interval: '77.0 to 89.6 %'."""
    return f'{100 * lower:.1f} to {percent(upper)}'


def apart(value: float, bound: float, decimals: int = 1, form: Format = percent) -> tuple[str, str]:
    """Both with so many decimals, or as many more as it takes to tell them apart."""
    for more in range(decimals, 10):
        first, second = form(value, more), form(bound, more)
        if first != second or value == bound:
            return first, second
    return repr(value), repr(bound)
