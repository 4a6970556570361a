"""Labels by several people: that of most of them, and how far they agree."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping

from thawline.components.shared import percentages
from thawline.components.shared.text import counted

_NAMED = 8


@dataclasses.dataclass(frozen=True)
class Majority:
    """What the labels of one image come to.

    Attributes:
        label: of most labellers; None where several labels have as many.
        confidence: share of the labels that are this one; of a tie, that of each.
        counts: label -> how many gave it, most frequent first.
    """

    label: str | None
    confidence: float
    counts: Mapping[str, int]

    def __str__(self) -> str:
        return ', '.join(f'{label!r} {count}' for label, count in self.counts.items())


def majority(votes: Collection[tuple[str, str]]) -> Majority:
    """The label that most gave.

    Args:
        votes: labeller and label, not empty; who gives two labels counts for both.
    """
    counts = collections.Counter(label for _, label in sorted(set(votes)))
    ranked = counts.most_common()
    tied = len(ranked) > 1 and ranked[0][1] == ranked[1][1]
    return Majority(
        None if tied else ranked[0][0], ranked[0][1] / counts.total(), dict(ranked)
    )  # fmt: skip


def krippendorff_alpha(units: Iterable[Collection[str]]) -> float | None:
    """Agreement beyond chance on nominal labels: 1 for all, 0 for what chance would give.

    K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: any number of
    labellers, some of whom may have skipped images.

    Args:
        units: labels of each image; those of images with fewer than two do not count.

    Returns:
        None where there is nothing to compare: no image with two labels, or a single class.
    """
    totals: collections.Counter[str] = collections.Counter()
    agreeing = 0.0
    for labels in units:
        counts = collections.Counter(labels)
        if counts.total() < 2:
            continue
        totals += counts
        agreeing += sum(n * (n - 1) for n in counts.values()) / (counts.total() - 1)
    n = totals.total()
    by_chance = n * n - sum(count * count for count in totals.values())
    return 1 - (n - 1) * (n - agreeing) / by_chance if by_chance else None


def describe(votes: Collection[Collection[tuple[str, str]]]) -> Iterator[str]:
    """Notes on how far labellers agree.

    Args:
        votes: labellers and labels of each image that has any.
    """
    units = [sorted(set(of_image)) for of_image in votes]
    people = sorted({labeller for unit in units for labeller, _ in unit})
    shared = [unit for unit in units if len(unit) > 1]
    if len(people) < 2 or not shared:
        yield f'{len(people)} labellers, but no image has labels of two; none can be compared'
        return
    unanimous = sum(len({label for _, label in unit}) == 1 for unit in shared)
    alpha = krippendorff_alpha([label for _, label in unit] for unit in shared)
    beyond = '' if alpha is None else f", Krippendorff's alpha {alpha:.2f}"
    yield (
        f'{len(people)} labellers; of {len(shared):,} images with labels of several, they agree on '
        f'{unanimous:,} ({percentages.percent(unanimous / len(shared))}{beyond}); the label of '
        'most is taken, their share is its confidence'
    )
    ties = sum(majority(unit).label is None for unit in units)
    if ties:
        yield (
            f'{counted(ties, "image has", "images have")} no majority, and no label but one that '
            'labels.csv gives'
        )
    if len(people) <= _NAMED:
        shares = ', '.join(_with_the_majority(shared, people))
        yield f'agreement with the label of most: {shares}'


def _with_the_majority(
    units: Iterable[Collection[tuple[str, str]]], people: Iterable[str]
) -> Iterator[str]:
    right: collections.Counter[str] = collections.Counter()
    answered: collections.Counter[str] = collections.Counter()
    for unit in units:
        label = majority(unit).label
        if label is not None:
            answered.update(person for person, _ in unit)
            right.update(person for person, given in unit if given == label)
    for person in people:
        if answered[person]:
            yield f'{person} {percentages.percent(right[person] / answered[person], 0)}'
