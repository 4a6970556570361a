"""What to show first of many classes: the most confused pairs, the worst classes."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable

from thawline.components.report.content import (
    ClassRow,
    ConfusionCell,
    Interval,
    Slice,
    SplitResults,
)

# A slice that is less than a point below the whole needs nobody's attention.
_NO_GAP = -0.01


@dataclasses.dataclass(frozen=True)
class ConfusedPair:
    """Images of one class that were predicted as another; `share` is of the images of the class."""

    cell: ConfusionCell
    share: float


def top_confusions(results: SplitResults, most: int) -> list[ConfusedPair]:
    """The cells off the diagonal with the most images; among equals the larger share first."""
    totals: collections.Counter[int] = collections.Counter()
    for cell in results.confusion:
        totals[cell.label] += cell.count
    pairs = [
        ConfusedPair(cell, cell.count / totals[cell.label])
        for cell in results.confusion
        if cell.label != cell.answer and cell.count
    ]
    pairs.sort(key=lambda pair: (-pair.cell.count, -pair.share, pair.cell.label, pair.cell.answer))
    return pairs[:most]


def worst_classes(results: SplitResults, most: int) -> list[ClassRow]:
    """The classes of lowest recall; among equals the one with the lower interval first."""
    measured = [row for row in results.classes if row.recall.share is not None]
    measured.sort(key=lambda row: (row.recall.share, row.recall.upper, row.name))
    return measured[:most]


def weak_slices(slices: Iterable[Slice]) -> list[Slice]:
    """Those with enough images whose accuracy is below that of all, the largest gap first."""
    weak = [of for of in slices if not of.small and of.gap is not None and of.gap.value <= _NO_GAP]
    weak.sort(key=lambda of: (of.gap.value if of.gap else 0.0, of.column, of.value))
    return weak


def axis_floor(intervals: list[Interval]) -> float:
    """The start of an axis up to 100 %: the tenth below the lowest end, 0.9 at most.

    Intervals of fewer than ten images are as wide as the axis; they count only if there are no
    others.
    """
    measured = [interval for interval in intervals if interval.share is not None]
    decisive = [interval for interval in measured if interval.n >= 10] or measured
    lowest = min((interval.lower for interval in decisive), default=0.0)
    return min(int(lowest * 10) / 10, 0.9)
