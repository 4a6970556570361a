"""Floors for parts of val, that is for classes and slices.

Those that are set compare the measured share whatever the strictness: parts are small, and a lower
bound on each would refuse nearly every good model (docs/gate.md has the numbers). The floor that is
there by default turns the question round: it refuses what is shown to be bad.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from thawline.components.evaluation.gate.counts import Counts, HitCount
from thawline.components.evaluation.gate.params import SliceFloor
from thawline.components.evaluation.gate.record import LabelQueue, RuleResult
from thawline.components.evaluation.gate.rule_result import (
    at_least,
    compare,
    fail_unmeasured,
    image_count,
    images_of,
    more_images,
    quote,
    without_effect,
)
from thawline.components.shared import percentages
from thawline.components.shared.text import abbreviate
from thawline.components.statistics import clustered_bound, proportions

# Below so many images a measured share says little: its 95 % interval is some 40 points wide.
_FEW_IMAGES = 20
_ALPHA = 0.025


def class_floor(counts: Counts, floor: float, decides: bool) -> RuleResult:
    """No class may be shown to have a recall below the floor, by its exact upper bound.

    All classes together refuse a model whose classes are all at the floor in at most 2.5 % of cases
    (Bonferroni).
    """
    name, title, classes = 'class_floor', 'Every class', counts.classes
    alpha = _ALPHA / max(1, len(classes))
    least = proportions.images_to_refute(floor, alpha)
    # As many groups, where images are not independent.
    few = {
        label: count.n
        for label, count in classes.items()
        if (count.n if count.groups is None else count.groups) < least
    }
    judged = {label: count for label, count in classes.items() if label not in few}
    units = next((_units(count) for count in classes.values()), 'images')
    caution = _too_few(few, least, units)
    if not judged:
        sentence = caution or 'There are no classes to judge.'
        return RuleResult(name, title, None, None, floor, None, sentence, caution=caution)
    bounds = {label: count.upper_bound(alpha) for label, count in judged.items()}
    bad = [label for label, bound in bounds.items() if bound < floor]
    worst = min(bounds, key=lambda label: (bounds[label], label))
    lowest = f'{worst!r}, {judged[worst].hits:,} of {images_of(judged[worst])} correct'
    required, change = percentages.percent(floor), ''
    if bad:
        sentence = f'The recall of {quote(bad)} is below {required} beyond chance ({lowest}).'
        change = (
            f'More {_units(judged[worst])} at this recall would not change that. Add training '
            'images of '
            f'{quote(bad)}, check the labels, or merge classes.'
        )
    else:
        sentence = f'No class is shown to have a recall below {required} (lowest: {lowest}).'
    result = at_least(name, title, bounds[worst], floor, sentence, change)
    if bad and not decides:
        result = without_effect(result)
    queue = LabelQueue('all') if bad and decides else None
    return dataclasses.replace(result, caution=caution, queue=queue)


def _units(count: HitCount) -> str:
    """'val images', 'groups'."""
    return f'{count.kind} {count.unit}s'.lstrip()


def _too_few(images: Mapping[str, int], least: int, units: str) -> str:
    """Which classes val cannot judge at all, whatever the model answers."""
    if not images:
        return ''
    counts = (f'{label!r} ({n:,})' for label, n in images.items())
    return (
        f'Too few {units} to judge {abbreviate(counts, 3)}: at least {least:,} are needed to '
        'find out that a model never recognises a class.'
    )


def worst_class_recall(counts: Counts, floor: float) -> RuleResult:
    """The measured recall of each class."""
    name, title, classes = 'worst_class_recall', 'Worst-class recall', counts.classes
    empty = [label for label, count in classes.items() if not count.n]
    if empty or not classes:
        missing = quote(empty) or 'any class'
        sentence = f'Recall cannot be measured without {_units(counts.val)} of {missing}.'
        return fail_unmeasured(
            name, title, floor, sentence, f'Add such images, or remove gate.{name}.'
        )
    worst = min(classes, key=lambda label: classes[label].share)
    below = [label for label, count in classes.items() if count.share < floor]
    what = f'The lowest recall, of {worst!r},'
    part = f'of {worst!r}'
    return _floor(name, title, floor, what, classes[worst], below, 'classes', part)


def slice_accuracy(
    counts: Counts, floor: SliceFloor, position: int, smallest_slice: int
) -> RuleResult:
    """One slice, or each slice of a column that has enough images."""
    name, named = f'slices.{position}', floor.value is not None
    title = f'Accuracy where {floor.column} is {floor.value!r}'
    if not named:
        title = f'Accuracy for each {floor.column}'
    slices = [
        part
        for part in counts.slices
        if part.column == floor.column and floor.value in (None, part.value)
    ]
    least = max(smallest_slice, 1)
    large = [part for part in slices if part.count.n >= least]
    if not large:
        n = max((part.count.n for part in slices), default=0)
        sentence = (
            f'{title} cannot be judged: the {"" if named else "largest "}slice has '
            f'{image_count(n, counts.val.kind)}, and at least {least:,} are required.'
        )
        change = f'Add such images, or remove gate.slices[{position}].'
        return fail_unmeasured(name, title, floor.accuracy, sentence, change)
    worst = min(large, key=lambda part: part.count.share)
    what = title if named else f'The lowest accuracy, where {worst.column} is {worst.value!r},'
    below = [part.value for part in large if part.count.share < floor.accuracy]
    part = f'where {worst.column} is {worst.value!r}'
    result = _floor(name, title, floor.accuracy, what, worst.count, below, 'slices', part)
    small = [part.value for part in slices if part.count.n < least]
    if not small:
        return result
    remark = f' Not judged, with fewer than {image_count(least)}: {quote(small)}.'
    return dataclasses.replace(result, sentence=result.sentence + remark)


def _floor(
    name: str,
    title: str,
    floor: float,
    what: str,
    worst: HitCount,
    below: Sequence[str],
    kind: str,
    part: str,
) -> RuleResult:
    """The worst of several parts of val against what each must reach."""
    queue = None
    sentence, change = compare(what, worst.share, floor, 'required', worst), ''
    if worst.n < _FEW_IMAGES:
        sentence += f' This is based on only {images_of(worst)}.'
    if len(below) > 1:
        sentence += f' {len(below):,} {kind} are below the required value: {quote(below)}.'
    if worst.share < floor:
        needed = proportions.hits_for_share(worst.n, floor)
        change = f'It would pass with {needed:,} correct instead of {worst.hits:,}.'
        more = _images_to_decide(worst, floor)
        if more:
            change += f' At this share, about {more_images(more, worst)} {part} would show '
            change += 'that it is no chance.'
            queue = LabelQueue('unlabelled', more if worst.unit == 'image' else None)
    result = at_least(name, title, worst.share, floor, sentence, change)
    return dataclasses.replace(result, queue=queue)


def _images_to_decide(count: HitCount, floor: float) -> int:
    """How many more show at 2.5 % that a share is below the floor; 0 where these do."""
    misses = tuple((size - right, size, number) for right, size, number in count.clusters)
    total = clustered_bound.clusters_needed(count.n - count.hits, count.n, misses, 1 - floor)
    return max(0, total - count.n) if total is not None else 0
