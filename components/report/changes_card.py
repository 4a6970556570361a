"""The card of changes since the last report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from thawline.components.evaluation.gate.counts import ClassChange
from thawline.components.report import formatting
from thawline.components.report.content import (
    Fact,
    FactCard,
    Interval,
    ReportContent,
    RunFacts,
    SplitResults,
)
from thawline.components.statistics.unpaired import unpaired_difference

LAST = 'Last run'
TERMS = {
    'config': 'Configuration',
    'images': 'Images',
    'base': 'Base',
    'environment': 'Environment',
}


def card(
    decision: str,
    splits: Mapping[str, SplitResults],
    classes: tuple[str, ...],
    facts: RunFacts,
    previous: ReportContent | None,
) -> FactCard:
    """The changes since an earlier report; `decision` is the present one, in words."""
    if previous is None:
        lines = [Fact(LAST, 'none: this is the first report')]
        return FactCard('changes', 'What changed', tuple(lines))
    lines = [Fact(LAST, previous.run, previous.created)]
    before = formatting.decision(previous.verdict, previous.serving_problems)
    lines.append(Fact('Verdict', decision if before == decision else f'{before} → {decision}'))
    for split, results in splits.items():
        if split in previous.splits:
            lines.append(_accuracy_fact(split, previous.splits[split].accuracy, results.accuracy))
    change = ClassChange.between(previous.classes, classes)
    for term, names in (('New classes', change.added), ('Removed classes', change.removed)):
        if names:
            lines.append(Fact(term, f'{len(names):,}', ', '.join(names)))
    for key, term in TERMS.items():
        changes = list(changed_values(getattr(previous.facts, key), getattr(facts, key)))
        if changes:
            value = f'{len(changes):,} changed'
            if key == 'images':
                value = _image_counts(previous.facts.images, facts.images)
            lines.append(Fact(term, value, '; '.join(changes)))
    return FactCard('changes', 'What changed', tuple(lines))


def _image_counts(
    before: Mapping[str, Mapping[str, int]], now: Mapping[str, Mapping[str, int]]
) -> str:
    """The totals: counts of classes in splits that differ are no images."""
    earlier, later = (sum(sum(of.values()) for of in counts.values()) for counts in (before, now))
    if earlier == later:
        return f'{later:,}, otherwise divided'
    more = 'more' if later > earlier else 'fewer'
    return f'{abs(later - earlier):,} {more}: {earlier:,} → {later:,}'


def _accuracy_fact(split: str, before: Interval, now: Interval) -> Fact:
    change = unpaired_difference(before, now)
    if change is None:
        return Fact(f'{split} accuracy', 'cannot be compared')
    noise = '' if change.clear else '; may be chance'
    return Fact(
        f'{split} accuracy',
        f'{formatting.percent(before.share)} → {formatting.percent(now.share)}',
        f'{formatting.points(change.value)}, 95 % interval {formatting.difference_ends(change)}'
        f'{noise}; each run on its own {split} images',
    )


def changed_values(before: Any, now: Any, path: str = '') -> Iterator[str]:
    """Every value that differs between two JSON values, with its path."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            inner = f'{path}.{key}' if path else str(key)
            yield from changed_values(before.get(key), now.get(key), inner)
    elif before != now:
        yield f'{path}: {_to_text(before)} → {_to_text(now)}'


def _to_text(value: Any) -> str:
    return 'none' if value is None else str(value)
