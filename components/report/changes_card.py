"""What is different from the last report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from thawline.components.report import formatting
from thawline.components.report.content import Fact, FactCard, Interval, SplitResults, Verdict

Summary = Mapping[str, Any]


def newcombe_difference(now: Interval, before: Interval) -> tuple[float, float, float] | None:
    """The difference of two shares with its 95 % interval; None where one has no image.

    From the Wilson intervals of both, for sets of different images: Newcombe, "Interval estimation
    for the difference between independent proportions", Statistics in Medicine 1998, method 10.
    """
    if now.share is None or before.share is None:
        return None
    change = now.share - before.share
    down = math.hypot(now.share - now.lower, before.upper - before.share)
    up = math.hypot(now.upper - now.share, before.share - before.lower)
    return change, change - down, change + up


def card(
    verdict: Verdict,
    parts: Mapping[str, SplitResults],
    classes: tuple[str, ...],
    facts: Mapping[str, Any],
    before: Summary | None,
) -> FactCard:
    """What changed against the summary of an earlier report."""
    if before is None:
        return FactCard(
            'changes', 'What changed', (Fact('Last run', 'none: this is the first report'),)
        )
    lines = [Fact('Last run', str(before['run']), str(before['created']))]
    was, now = (_decision(blessed) for blessed in (before['verdict']['blessed'], verdict.blessed))
    lines.append(Fact('Verdict', now if was == now else f'{was} → {now}'))
    for split, part in parts.items():
        if split in before['parts']:
            lines.append(
                _accuracy_fact(split, part, Interval(**before['parts'][split]['accuracy']))
            )
    for term, names in (
        ('New classes', [name for name in classes if name not in before['classes']]),
        ('Classes no longer there', [name for name in before['classes'] if name not in classes]),
    ):
        if names:
            lines.append(Fact(term, f'{len(names):,}', ', '.join(names)))
    then = before.get('facts', {})
    for term, key in (
        ('Configuration', 'config'),
        ('Images', 'images'),
        ('Base', 'base'),
        ('Environment', 'environment'),
    ):
        changed = list(changed_values(then.get(key), facts.get(key)))
        if changed:
            lines.append(Fact(term, f'{len(changed):,} changed', '; '.join(changed)))
    return FactCard('changes', 'What changed', tuple(lines))


def _decision(blessed: bool) -> str:
    return 'blessed' if blessed else 'not blessed'


def _accuracy_fact(split: str, part: SplitResults, before: Interval) -> Fact:
    change = newcombe_difference(part.accuracy, before)
    if change is None:
        return Fact(f'{split} accuracy', 'cannot be compared')
    points, low, high = (100 * value for value in change)
    noise = '' if low > 0 or high < 0 else '; may be chance'
    return Fact(
        f'{split} accuracy',
        f'{formatting.percent(before.share)} → {formatting.percent(part.accuracy.share)}',
        f'{points:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}{noise}',
    )


def changed_values(before: Any, now: Any, path: str = '') -> Iterator[str]:
    """Every value that differs between two JSON values, with its place."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            inner = f'{path}.{key}' if path else str(key)
            yield from changed_values(before.get(key), now.get(key), inner)
    elif before != now:
        yield f'{path}: {_to_text(before)} → {_to_text(now)}'


def _to_text(value: Any) -> str:
    return 'none' if value is None else str(value)
