"""What of many classes is shown first: the pairs confused most, the worst classes.

Pure functions on `Part`, shared by the page and the Markdown form.
"""

from __future__ import annotations

import collections
import dataclasses

from thawline.components.report.content import ClassRow, ConfusionCell, Interval, SplitResults


@dataclasses.dataclass(frozen=True)
class ConfusedPair:
    """Images of one class that were answered as another; `share` is of the images of the class."""

    cell: ConfusionCell
    share: float


def class_totals(part: SplitResults) -> dict[int, int]:
    """Images of each class that has any, by the position of the class."""
    totals: collections.Counter[int] = collections.Counter()
    for cell in part.confusion:
        totals[cell.label] += cell.count
    return dict(totals)


def top_confusions(part: SplitResults, most: int) -> list[ConfusedPair]:
    """The cells off the diagonal with the most images; of equal counts the larger share first."""
    totals = class_totals(part)
    found = [
        ConfusedPair(cell, cell.count / totals[cell.label])
        for cell in part.confusion
        if cell.label != cell.answer and cell.count
    ]
    found.sort(key=lambda one: (-one.cell.count, -one.share, one.cell.label, one.cell.answer))
    return found[:most]


def worst_classes(part: SplitResults, most: int) -> list[ClassRow]:
    """The classes of lowest recall; of equal recall the one that is surer, with more images."""
    measured = [row for row in part.classes if row.recall.share is not None]
    measured.sort(key=lambda row: (row.recall.share, row.recall.upper, row.name))
    return measured[:most]


def axis_floor(intervals: list[Interval]) -> float:
    """Where an axis up to 100 % starts: the tenth below the lowest end, 0.9 at the most.

    Intervals of fewer than ten images are as wide as the axis; they do not decide it unless there
    are no others.
    """
    measured = [one for one in intervals if one.share is not None]
    decisive = [one for one in measured if one.n >= 10] or measured
    lowest = min((one.lower for one in decisive), default=0.0)
    return min(int(lowest * 10) / 10, 0.9)
