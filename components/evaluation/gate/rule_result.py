"""Results of rules, and the wording that all rules share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from thawline.components.evaluation.gate.counts import HitCount
from thawline.components.evaluation.gate.record import RuleResult
from thawline.components.shared import percentages
from thawline.components.shared.text import abbreviate
from thawline.components.statistics.paired_outcome import in_groups


def at_least(
    name: str, title: str, value: float, bound: float, sentence: str, change: str = ''
) -> RuleResult:
    return RuleResult(name, title, value >= bound, value, bound, value - bound, sentence, change)


def at_most(
    name: str, title: str, value: float, bound: float, sentence: str, change: str = ''
) -> RuleResult:
    return RuleResult(name, title, value <= bound, value, bound, bound - value, sentence, change)


def without_effect(result: RuleResult, why: str = 'strictness: point') -> RuleResult:
    """A significance test is shown under every strictness, but decides nothing under 'point'."""
    sentence = f'{result.sentence} This does not affect the decision ({why}).'
    return dataclasses.replace(result, holds=None, sentence=sentence, change='')


def fail_unmeasured(
    name: str, title: str, bound: float, sentence: str, change: str = ''
) -> RuleResult:
    """A rule that is set and cannot be measured fails."""
    return RuleResult(name, title, False, None, bound, None, sentence, change)


def compare(what: str, value: float, bound: float, kind: str, count: HitCount) -> str:
    """'Val accuracy is 85.0 %, which meets the threshold of 80.0 % (...)'."""
    first, second = percentages.apart(value, bound)
    outcome = 'which meets' if value >= bound else 'below'
    share = '' if value == count.share else f', {percentages.percent(count.share)}'
    ends = count.interval
    return (
        f'{what} is {first}, {outcome} the {kind} {second} ({count.hits:,} of '
        f'{images_of(count)} correct{share}; 95 % interval '
        f'{percentages.between(ends.lower, ends.upper)}).'
    )


def quote(names: Iterable[str]) -> str:
    """The first names, quoted, and how many more there are."""
    return abbreviate(map(repr, names), 3)


def images_of(count: HitCount) -> str:
    """'200 images', '300 images in 50 groups'."""
    return image_count(count.n, unit=count.unit) + in_groups(count.groups)


def judging_images(count: HitCount) -> str:
    """'val images', or 'images' where all judge."""
    return f'{count.kind} images'.lstrip()


def more_images(n: int, like: HitCount) -> str:
    """'54 more val images', '54 more groups'."""
    return image_count(n, f'more {like.kind}'.rstrip(), like.unit)


def image_count(n: int, kind: str = '', unit: str = 'image') -> str:
    """'1 image', '200 val images', '50 val groups'."""
    return f'{n:,} {kind}{" " if kind else ""}{unit}{"" if n == 1 else "s"}'
