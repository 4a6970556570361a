"""The card of changes: against the baseline, and since the last report."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from thawline.components.evaluation.gate.class_change import ClassChange
from thawline.components.report import formatting
from thawline.components.report.content import (
    Fact,
    FactCard,
    ReportContent,
    RunFacts,
    SplitResults,
    Verdict,
)
from thawline.components.shared.text import abbreviate
from thawline.components.statistics.paired_outcome import PairedOutcome

_FEW = 3
TERMS = {
    'config': 'Configuration',
    'images': 'Images',
    'base': 'Base',
    'environment': 'Environment',
}


@dataclasses.dataclass(frozen=True)
class ReportedRun:
    """What a report knows of its own run; `decision` is the verdict in words."""

    run: str
    verdict: Verdict
    decision: str
    splits: Mapping[str, SplitResults]
    classes: tuple[str, ...]
    facts: RunFacts


def card(reported: ReportedRun, previous: ReportContent | None) -> FactCard:
    """The comparison with the baseline, and what changed since an earlier report.

    Only the former says which model is better: the last run's images may be others, and its model
    need not be the baseline.
    """
    lines = [against_baseline(reported.verdict)]
    if previous is None:
        lines.append(Fact('Last run', 'none: this is the first report'))
        return FactCard('changes', 'What changed', tuple(lines))
    lines.append(Fact('Last run', previous.run, previous.created))
    before = formatting.decision(previous.verdict, previous.serving_problems)
    now = reported.decision
    lines.append(Fact('Verdict', now if before == now else f'{before} → {now}'))
    on_the_same = f'; on the same ones: thawline compare {previous.run} {reported.run}'
    lines += [
        dataclasses.replace(fact, detail=fact.detail + on_the_same)
        for fact in _accuracy_facts(previous.splits, reported.splits)
    ]
    change = ClassChange.between(previous.classes, reported.classes)
    for term, names in (('New classes', change.added), ('Removed classes', change.removed)):
        if names:
            lines.append(Fact(term, f'{len(names):,}', ', '.join(names)))
    for key, term in TERMS.items():
        changes = list(changed_values(getattr(previous.facts, key), getattr(reported.facts, key)))
        if changes:
            value = f'{len(changes):,} changed'
            if key == 'images':
                value = _image_counts(previous.facts.images, reported.facts.images)
            lines.append(Fact(term, value, '; '.join(changes)))
    return FactCard('changes', 'What changed', tuple(lines))


def brief(reported: ReportedRun, previous: ReportContent | None) -> list[Fact]:
    """What changed since an earlier report in a few short lines."""
    if previous is None:
        return [Fact('Last report', 'none', 'this is the first one')]
    lines = []
    before = formatting.decision(previous.verdict, previous.serving_problems)
    if before != reported.decision:
        lines.append(Fact('Verdict', f'{before} → {reported.decision}'))
    lines += _accuracy_facts(previous.splits, reported.splits)
    change = ClassChange.between(previous.classes, reported.classes)
    for term, names in (('New classes', change.added), ('Removed classes', change.removed)):
        if names:
            lines.append(Fact(term, abbreviate(names, _FEW)))
    then, now = previous.facts, reported.facts
    changed = list(changed_values(then.config, now.config))
    if changed:
        lines.append(Fact('Settings', f'{len(changed):,} changed', abbreviate(changed, _FEW)))
    if then.images != now.images:
        lines.append(Fact(TERMS['images'], _image_counts(then.images, now.images)))
    others = [TERMS[key] for key in ('base', 'environment') if _differs(key, then, now)]
    if others:
        lines.append(Fact('Also changed', ', '.join(others)))
    if then == now and not change:
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


def against_baseline(verdict: Verdict) -> Fact:
    """The gate's paired test in its own words."""
    sentence = next((rule.sentence for rule in verdict.rules if rule.name == 'paired_test'), '')
    paired = verdict.paired
    value = str(paired.outcome) if paired else 'not compared'
    if paired and paired.outcome is not PairedOutcome.TOO_FEW and paired.difference:
        value += (
            f' ({formatting.points(paired.difference.value)}, 95\u00a0% interval '
            f'{formatting.difference_ends(paired.difference)})'
        )
    return Fact('Against the baseline', value, sentence)


def _accuracy_facts(
    before: Mapping[str, SplitResults], now: Mapping[str, SplitResults]
) -> list[Fact]:
    """Accuracies side by side, without a judgement."""
    return [
        Fact(
            f'{split} accuracy',
            f'{formatting.percent(before[split].accuracy.share)} → '
            f'{formatting.percent(results.accuracy.share)}',
            _own_images(split, before[split].folds, results.folds),
        )
        for split, results in now.items()
        if split in before
    ]


def _own_images(split: str, before: int, now: int) -> str:
    """Which images two runs were judged on, in `before` and in `now` folds."""
    if before and now:
        return 'each run on all of its own images, held out in turn'
    if before or now:
        which = ('the last run', 'this run') if before else ('this run', 'the last run')
        return f'{which[0]} on all of its images, held out in folds; {which[1]} on {split} alone'
    return f'each run on its own {split} images'


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
