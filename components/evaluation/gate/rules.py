"""Each rule of the gate: a number, what it is held against, and the outcome in words.

`strictness` is about val accuracy, the one number that the gate stands on. Floors of parts of val,
that is of classes and slices, are held against the measured share: parts are small, and a bound on
each would refuse nearly every good model (docs/gate.md has the numbers). What a rule asks for and
cannot be measured does not hold.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable

from thawline.components.evaluation.gate.counts import Counts, HitCount
from thawline.components.evaluation.gate.params import Gate, SliceFloor
from thawline.components.shared import percentages
from thawline.components.statistics import proportions

# Below so many images a measured share says little: its 95 % interval is some 40 points wide.
_TINY = 20
_NAMED = 3

# Writes a number with so many decimals.
Tell = Callable[[float, int], str]


@dataclasses.dataclass(frozen=True)
class RuleResult:
    """One rule of the gate and what came of it.

    Attributes:
        name: its key in the configuration, such as 'val_accuracy'.
        title: for people, such as 'Validation accuracy'.
        holds: None where it does not apply, such as a comparison without a baseline.
        value: what was measured, None where it does not apply.
        bound: what it was held against.
        margin: by how much it holds (positive) or fails (negative), in the unit of `value`.
        sentence: the verdict in words, with its numbers.
        change: what would change it, such as how many more images would decide; may be empty.
    """

    name: str
    title: str
    holds: bool | None
    value: float | None
    bound: float | None
    margin: float | None
    sentence: str
    change: str = ''


def in_unit(unit: str) -> Tell:
    """Numbers with their unit: `in_unit('ms')(23.44, 1)` is '23.4 ms'."""

    def tell(value: float, decimals: int) -> str:
        return f'{value:.{decimals}f} {unit}'

    return tell


def told(
    value: float, bound: float, decimals: int = 1, tell: Tell = percentages.percent
) -> tuple[str, str]:
    """Both with so many decimals, or as many more as it takes to tell them apart.

    Args:
        value: what was measured.
        bound: what it is held against.
        decimals: the fewest.
        tell: writes a number of these; without it they are shares, written in percent.
    """
    for more in range(decimals, 10):
        first, second = tell(value, more), tell(bound, more)
        if first != second or value == bound:
            return first, second
    return repr(value), repr(bound)


def _at_least(value: float, floor: float) -> str:
    first, second = told(value, floor)
    return f', {first}, {"reaches" if value >= floor else "is below"} {second}'


def few(names: Iterable[str]) -> str:
    listed = list(names)
    shown = ', '.join(listed[:_NAMED])
    return shown if len(listed) <= _NAMED else f'{shown} and {len(listed) - _NAMED:,} more'


def images(n: int, of: str = '') -> str:
    kind = f'{of} ' if of else ''
    return f'{n:,} {kind}{"image" if n == 1 else "images"}'


def unmeasured(name: str, title: str, bound: float, why: str, change: str = '') -> RuleResult:
    """A rule that was asked for and cannot be judged does not hold."""
    return RuleResult(name, title, False, None, bound, None, f'{title}: {why}.', change)


def _interval(count: HitCount) -> str:
    found = proportions.wilson(count.hits, count.n)
    return f'95 % interval {percentages.between(found.lower, found.upper)}'


def val_accuracy(numbers: Counts, gate: Gate) -> RuleResult:
    """The threshold of the gate, on the bound or on the measured accuracy."""
    name, title = 'val_accuracy', 'Validation accuracy'
    hits, n, threshold = numbers.val.hits, numbers.val.n, gate.val_accuracy
    if not n:
        return unmeasured(name, title, threshold, 'there is no val image to judge by')
    share = hits / n
    by_bound = gate.strictness == 'bound'
    value = proportions.lower_bound(hits, n) if by_bound else share
    what = 'lower bound of val accuracy' if by_bound else 'val accuracy'
    sentence = (
        f'The {what}{_at_least(value, threshold)} ({hits:,} of {images(n)} right: '
        f'{percentages.percent(share)}, {_interval(numbers.val)}).'
    )
    holds = value >= threshold
    if by_bound and not holds and proportions.wilson(hits, n).lower >= threshold:
        sentence += ' The interval is approximate; counted exactly, chance is not ruled out.'
    sentence += _one_class(numbers, threshold)
    return RuleResult(
        name,
        title,
        holds,
        value,
        threshold,
        value - threshold,
        sentence,
        _val_change(numbers.val, threshold, by_bound),
    )


def _val_change(val: HitCount, threshold: float, by_bound: bool) -> str:
    """What would turn the decision: mistakes to spare, or hits and images that are missing."""
    hits, n = val.hits, val.n
    needed = proportions.hits_needed(n, threshold) if by_bound else _fewest(n, threshold)
    if needed is not None and hits >= needed:
        if not needed:
            return ''
        more = hits - needed + 1
        return f'{more:,} more {"mistake" if more == 1 else "mistakes"} on these images would fail.'
    parts = []
    if needed is None:
        least = proportions.images_needed(1.0, threshold)
        parts.append(f'Not even all {images(n)} right would do')
        if least is not None:
            parts.append(f'at least {images(least, "val")} are needed')
    else:
        parts.append(f'{needed:,} right instead of {hits:,} would do')
    if by_bound and hits < n:
        parts.append(_more_images(val, threshold))
    return '; '.join(parts) + '.'


def _more_images(val: HitCount, threshold: float) -> str:
    share = val.hits / val.n
    decide = proportions.images_needed(share, threshold)
    if decide is None:
        return 'more images at this accuracy would not change it'
    more = max(decide - val.n, 1)  # rounding of hits can put it at n itself
    return f'at this accuracy about {images(more, "more val")} ({val.n + more:,} in all) would do'


def _one_class(numbers: Counts, threshold: float) -> str:
    """A remark where accuracy alone would deceive: one class makes up the threshold."""
    counts = {name: count for name, count in numbers.classes.items() if count.n}
    if len(counts) < 2:
        return ''
    right = [name for name, count in counts.items() if count.hits]
    if len(right) == 1:
        return f' It is right on images of {right[0]!r} alone.'
    common = max(counts, key=lambda name: counts[name].n)
    share = counts[common].n / sum(count.n for count in counts.values())
    if share >= threshold:
        return (
            f' To answer {common!r} always would be right on {percentages.percent(share)} of them.'
        )
    return ''


def worst_class_recall(numbers: Counts, floor: float) -> RuleResult:
    """The measured recall of each class."""
    name, title = 'worst_class_recall', 'Worst-class recall'
    empty = [repr(key) for key, count in numbers.classes.items() if not count.n]
    if empty or not numbers.classes:
        return unmeasured(
            name,
            title,
            floor,
            f'no val image of {few(empty) or "any class"}, so that recall is not known',
            'Add images of it, or leave the rule out.',
        )
    worst = min(numbers.classes, key=lambda key: numbers.classes[key].share)
    return _floor(name, title, floor, f'recall of {worst!r}', numbers.classes[worst],
                  [repr(key) for key, count in numbers.classes.items() if count.share < floor],
                  'classes')  # fmt: skip


def _fewest(n: int, share: float) -> int:
    """The fewest hits among `n` that are a share of at least `share`."""
    return next(hits for hits in range(math.floor(share * n), n + 1) if hits / n >= share)


def _floor(
    name: str, title: str, floor: float, what: str, worst: HitCount, below: list[str], kind: str
) -> RuleResult:
    """The worst of several parts of val against what each must reach."""
    value = worst.share
    sentence = (
        f'The {what}{_at_least(value, floor)} ({worst.hits:,} of {images(worst.n)} right, '
        f'{_interval(worst)}).'
    )
    if len(below) > 1:
        sentence += f' {len(below):,} {kind} are below: {few(below)}.'
    if worst.n < _TINY:
        sentence += f' With {images(worst.n)} this says little.'
    needed = _fewest(worst.n, floor)
    change = '' if value >= floor else f'{needed:,} right instead of {worst.hits:,} would do.'
    return RuleResult(name, title, value >= floor, value, floor, value - floor, sentence, change)


def slice_accuracy(
    numbers: Counts, floor: SliceFloor, position: int, smallest_slice: int
) -> RuleResult:
    """One slice, or each slice of a column that has enough images."""
    named = floor.value is not None
    title = f'Accuracy where {floor.column} is {floor.value!r}' if named else (
        f'Accuracy for each {floor.column}'
    )  # fmt: skip
    name = f'slices.{position}'
    found = [
        one
        for one in numbers.slices
        if one.column == floor.column and (not named or one.value == floor.value)
    ]
    least = max(smallest_slice, 1)
    judged = [one for one in found if one.count.n >= least]
    small = [repr(one.value) for one in found if one.count.n < least]
    if not judged:
        n = max((one.count.n for one in found), default=0)
        who = 'it' if named else 'the largest slice'
        return unmeasured(
            name,
            title,
            floor.accuracy,
            f'{who} has {n:,} of the {images(least, "val")} that it takes to be judged',
            'Add such images, or leave the rule out.',
        )
    worst = min(judged, key=lambda one: one.count.share)
    rule = _floor(
        name,
        title,
        floor.accuracy,
        f'accuracy where {worst.column} is {worst.value!r}',
        worst.count,
        [repr(one.value) for one in judged if one.count.share < floor.accuracy],
        'slices',
    )
    if not small:
        return rule
    left = f' Left out, for fewer than {images(least)}: {few(small)}.'
    return dataclasses.replace(rule, sentence=rule.sentence + left)


def limit(
    name: str,
    title: str,
    what: str,
    value: float | None,
    most: float,
    tell: Tell,
) -> RuleResult:
    """A number that must not be above `most`; `what` and `tell` are for the sentence."""
    if value is None or not math.isfinite(value):
        return unmeasured(name, title, most, 'could not be measured')
    first, second = told(value, most, tell=tell)
    keeps = 'keeps to' if value <= most else 'is above'
    sentence = f'The {what}, {first}, {keeps} {second}.'
    return RuleResult(name, title, value <= most, value, most, most - value, sentence)


def finite(numbers: Counts) -> RuleResult:
    """No answer of a model that returns NaN can be trusted."""
    return RuleResult(
        'finite_probabilities',
        'Finite probabilities',
        numbers.not_finite == 0,
        float(numbers.not_finite),
        0.0,
        -float(numbers.not_finite),
        f'For {images(numbers.not_finite)} of val and test the model returns probabilities that '
        'are NaN or infinite.',
        'Train again at a lower rate; a loss that diverged leaves such weights.',
    )
