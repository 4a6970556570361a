"""Accuracy on slices: by metadata, by facts of the images, and by several columns crossed."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from thawline.components.evaluation.slices import BUCKETS, SUFFIX
from thawline.components.report import metrics
from thawline.components.report.content import Fact, Interval, Slice
from thawline.components.statistics.paired_outcome import Difference
from thawline.components.statistics.unpaired import unpaired_difference

NONE = '(none)'
CROSS = ' x '


def slice_accuracies(
    columns: Mapping[str, np.ndarray],
    sliced: Sequence[Sequence[str]],
    hits: np.ndarray,
    smallest: int,
    clusters: np.ndarray | None = None,
) -> tuple[Slice, ...]:
    """Accuracy on each value of each column.

    Args:
        columns: by name, [N] each, of str or None.
        sliced: names of columns; those of one entry are crossed.
        hits: bool [N].
        smallest: slices with fewer images are marked as small.
        clusters: names [N]; None where each image is one.
    """
    slices = []
    for names in sliced:
        rows_of: dict[tuple[str, ...], list[int]] = {}
        for row, values in enumerate(zip(*(columns[name] for name in names), strict=True)):
            rows_of.setdefault(tuple(value or NONE for value in values), []).append(row)
        for values in sorted(rows_of, key=functools.partial(_order, names)):
            inside = np.zeros(len(hits), bool)
            inside[rows_of[values]] = True
            accuracy, others = (
                metrics.accuracy(hits[some], None if clusters is None else clusters[some])
                for some in (inside, ~inside)
            )
            gap = _gap(accuracy, others)
            slices.append(
                Slice(CROSS.join(names), CROSS.join(values), accuracy, accuracy.n < smallest, gap)
            )
    return tuple(slices)


def _gap(inside: Interval, outside: Interval) -> Difference | None:
    """The accuracy of a slice less that of all images, of which it is a part.

    It is a share of the difference from the other images, which are independent of the slice: what
    the others are of all.
    """
    difference = unpaired_difference(outside, inside)
    if difference is None or difference.lower is None or difference.upper is None:
        return None
    share = outside.n / (inside.n + outside.n)
    return Difference(share * difference.value, share * difference.lower, share * difference.upper)


def _order(names: Sequence[str], values: Sequence[str]) -> list[tuple[int, str]]:
    """Sorts buckets from low to high, other values by name."""
    order = []
    for name, value in zip(names, values, strict=True):
        buckets = BUCKETS.get(name.removesuffix(SUFFIX), ())
        place = buckets.index(value) if value in buckets else 0
        order.append((place, value))
    return order


def bucket_fact(edges: Mapping[str, tuple[float, float]]) -> Fact:
    """The limits of the buckets, in words."""
    limits = []
    for name, (low, high) in edges.items():
        fact = name.removesuffix(SUFFIX)
        first, _, last = BUCKETS[fact]
        limits.append(f'{fact}: {first} below {low:.4g}, {last} from {high:.4g}')
    return Fact('Buckets', 'at the tertiles of train' if limits else 'none', '; '.join(limits))
