"""Accuracy of groups of images: by metadata, by facts of the image, by several of them crossed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from thawline.components.evaluation import slices as slicing
from thawline.components.report import metrics
from thawline.components.report.content import Fact, Slice

NONE = '(none)'
CROSS = ' x '


def slice_accuracies(
    columns: Mapping[str, np.ndarray],
    together: Sequence[Sequence[str]],
    hits: np.ndarray,
    smallest: int,
) -> tuple[Slice, ...]:
    """Accuracy of each value of each column.

    Args:
        columns: by name, [N] each, of str or None.
        together: names of columns, those of one entry crossed with each other.
        hits: bool [N].
        smallest: groups with fewer images are marked as small.
    """
    found = []
    for names in together:
        rows_of: dict[tuple[str, ...], list[int]] = {}
        for row, values in enumerate(zip(*(columns[name] for name in names), strict=True)):
            rows_of.setdefault(tuple(value or NONE for value in values), []).append(row)
        for values in sorted(rows_of, key=lambda one: _order(names, one)):
            accuracy = metrics.hit_rate(hits[rows_of[values]])
            found.append(
                Slice(CROSS.join(names), CROSS.join(values), accuracy, accuracy.n < smallest)
            )
    return tuple(found)


def _order(names: Sequence[str], values: Sequence[str]) -> list[tuple[int, str]]:
    """Buckets from low to high, all else by name."""
    order = []
    for name, value in zip(names, values, strict=True):
        buckets = slicing.BUCKETS.get(name.removesuffix(slicing.SUFFIX), ())
        place = buckets.index(value) if value in buckets else 0
        order.append((place, value))
    return order


def bucket_fact(edges: Mapping[str, tuple[float, float]]) -> Fact:
    """Where the buckets begin, in words."""
    told = []
    for name, (low, high) in edges.items():
        fact = name.removesuffix(slicing.SUFFIX)
        first, _, last = slicing.BUCKETS[fact]
        told.append(f'{fact}: {first} below {low:.4g}, {last} from {high:.4g} on')
    return Fact('Buckets', 'at the tertiles of train' if told else 'none', '; '.join(told))
