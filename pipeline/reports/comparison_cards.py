"""What two runs have in common and what not, as cards of their comparison."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from thawline.components.evaluation.predictions import Predictions
from thawline.components.report import changes_card
from thawline.components.report.content import Fact, FactCard

_KNOWN = (('Configuration', 'config'), ('Base', 'base'), ('Environment', 'environment'))


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """One of the two runs.

    Attributes:
        run: id of the run.
        predictions: of its evaluation.
        summary: of its report, as `content.summary` makes it.
    """

    run: str
    predictions: Predictions
    summary: Mapping[str, Any]


def images(
    first: ComparedRun,
    second: ComparedRun,
    shared: np.ndarray,
    judged: np.ndarray,
    of_a: np.ndarray,
) -> FactCard:
    """Which images count, and which are left out.

    Args:
        first, second: the runs.
        shared: int64 [S], rows of the second's predictions that are in the first's too.
        judged: int64 [J], those of them that are compared.
        of_a: int64 [J], their rows in the first's predictions.
    """
    a, b = first.predictions, second.predictions
    facts = [Fact('Compared', f'{len(judged):,}', 'labelled images that both runs evaluated')]
    names = [np.array([*found.classes, ''])[found.labels] for found in (a, b)]
    for term, count, detail in (
        ('Only in A', len(a) - len(shared), 'left out'),
        ('Only in B', len(b) - len(shared), 'left out'),
        (
            'Not comparable',
            len(shared) - len(judged),
            'left out: no label, or of a class that only one of the two knows',
        ),
        (
            'Other label in A',
            int((names[0][of_a] != names[1][judged]).sum()),
            'the label of B counts',
        ),
        (
            'Other split in A',
            int((a.splits[of_a] != b.splits[judged]).sum()),
            'shown in the split of B',
        ),
    ):
        if count:
            facts.append(Fact(term, f'{count:,}', detail))
    for term, mine, theirs in (
        ('Classes only in A', a.classes, b.classes),
        ('Classes only in B', b.classes, a.classes),
    ):
        if alone := [name for name in mine if name not in theirs]:
            facts.append(Fact(term, f'{len(alone):,}', ', '.join(alone)))
    return FactCard('images', 'What is compared', tuple(facts))


def changes(first: ComparedRun, second: ComparedRun) -> FactCard:
    """What differs between the runs besides their answers."""
    facts = []
    for name, side in (('A', first), ('B', second)):
        verdict = side.summary['verdict']
        told = 'blessed' if verdict['blessed'] else 'not blessed'
        facts.append(Fact(f'Verdict on {name}', told, str(verdict['headline'])))
    if first.summary['project'] != second.summary['project']:
        names = (str(side.summary['project']) for side in (first, second))
        facts.append(Fact('Project', ' → '.join(names)))
    then, now = first.summary['facts'], second.summary['facts']
    for term, key in _KNOWN:
        changed = list(changes_card.changed_values(then.get(key), now.get(key)))
        told = f'{len(changed):,} changed' if changed else 'the same'
        facts.append(Fact(term, told, '\n'.join(changed)))
    return FactCard('changes', 'From A to B', tuple(facts))
