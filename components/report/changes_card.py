"""The card of changes since the last report."""

from __future__ import annotations

import dataclasses
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
from thawline.components.shared.text import abbreviate
from thawline.components.statistics.unpaired import unpaired_difference

_FEW = 3
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
        lines = [Fact('Last run', 'none: this is the first report')]
        return FactCard('changes', 'What changed', tuple(lines))
    lines = [Fact('Last run', previous.run, previous.created)]
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


def brief(
    decision: str,
    splits: Mapping[str, SplitResults],
    classes: tuple[str, ...],
    facts: RunFacts,
    previous: ReportContent | None,
) -> list[Fact]:
    """The same in a few short lines."""
    if previous is None:
        return [Fact('Last report', 'none', 'this is the first one')]
    lines = []
    before = formatting.decision(previous.verdict, previous.serving_problems)
    if before != decision:
        lines.append(Fact('Verdict', f'{before} → {decision}'))
    for split, results in splits.items():
        if split in previous.splits:
            fact = _accuracy_fact(split, previous.splits[split].accuracy, results.accuracy)
            lines.append(dataclasses.replace(fact, detail=fact.detail.partition(';')[0]))
    change = ClassChange.between(previous.classes, classes)
    for term, names in (('New classes', change.added), ('Removed classes', change.removed)):
        if names:
            lines.append(Fact(term, abbreviate(names, _FEW)))
    changed = list(changed_values(previous.facts.config, facts.config))
    if changed:
        lines.append(Fact('Settings', f'{len(changed):,} changed', abbreviate(changed, _FEW)))
    if previous.facts.images != facts.images:
        lines.append(Fact(TERMS['images'], _image_counts(previous.facts.images, facts.images)))
    others = [TERMS[key] for key in ('base', 'environment') if _differs(key, previous.facts, facts)]
    if others:
        lines.append(Fact('Also changed', ', '.join(others)))
    if previous.facts == facts and not change:
        lines.append(Fact('Settings and data', 'the same'))
    return lines


def _differs(key: str, before: RunFacts, now: RunFacts) -> bool:
    return bool(getattr(before, key) != getattr(now, key))


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
    chance = 'beyond chance' if change.clear else 'may be chance'
    return Fact(
        f'{split} accuracy',
        f'{formatting.percent(before.share)} → {formatting.percent(now.share)}',
        f'{formatting.points(change.value)}, {chance}; 95 % interval '
        f'{formatting.difference_ends(change)}; each run on its own {split} images',
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
