"""The cards of a comparison: which images are compared, and what else differs between the runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thawline.components.evaluation.gate.class_change import ClassChange
from thawline.components.evaluation.metrics import Answers
from thawline.components.evaluation.predictions import NO_FOLD, Predictions
from thawline.components.report import changes_card, formatting
from thawline.components.report.content import Fact, FactCard
from thawline.components.shared.splits import VAL
from thawline.pipeline.reports.compared_run import ComparedRun

_KEYS = ('config', 'base', 'environment')


def images(
    first: ComparedRun,
    second: ComparedRun,
    shared: np.ndarray,
    compared: np.ndarray,
    first_rows: np.ndarray,
    answers: Sequence[Answers],
) -> FactCard:
    """Which images count, and which are left out.

    Args:
        first, second: the runs.
        shared: int64 [S], rows of the second's predictions that the first has too.
        compared: int64 [J], those of them that are compared.
        first_rows: int64 [J], their rows in the first's predictions.
        answers: of both runs to these images.
    """
    a, b = first.predictions, second.predictions
    labels_a, labels_b = (np.array([*of.classes, ''])[of.labels] for of in (a, b))
    counts = [
        ('Only in A', len(a) - len(shared), 'left out'),
        ('Only in B', len(b) - len(shared), 'left out'),
        (
            'Not comparable',
            len(shared) - len(compared),
            'left out: no label, or a class that only one of the runs has',
        ),
        (
            'Other label in A',
            int((labels_a[first_rows] != labels_b[compared]).sum()),
            'the label of B counts',
        ),
        (
            'Other split in A',
            int((a.splits[first_rows] != b.splits[compared]).sum()),
            'shown in the split of B',
        ),
        (
            'Val of A or B',
            int((_chose(a, first_rows) | _chose(b, compared)).sum()),
            'helped to choose that model, which answers them a little better than new images',
        ),
    ]
    counts += [
        (
            f'No answer in {name}',
            int((~of_run.has_answer).sum()),
            'NaN or infinite probabilities; counted as wrong',
        )
        for name, of_run in zip('AB', answers, strict=True)
    ]
    facts = [Fact('Compared', f'{len(compared):,}', 'labelled images that both runs evaluated')]
    facts += [Fact(term, f'{count:,}', detail) for term, count, detail in counts if count]
    change = ClassChange.between(a.classes, b.classes)
    for name, alone in (('A', change.removed), ('B', change.added)):
        if alone:
            facts.append(Fact(f'Classes only in {name}', f'{len(alone):,}', ', '.join(alone)))
    return FactCard('images', 'Compared images', tuple(facts))


def _chose(of: Predictions, rows: np.ndarray) -> np.ndarray:
    """Which of the images helped to choose the model that answered them: bool [N].

    None whose answer was held out: that is by what had not seen them.
    """
    chose: np.ndarray = (of.splits[rows] == VAL) & (of.folds[rows] == NO_FOLD)
    return chose


def changes(first: ComparedRun, second: ComparedRun) -> FactCard:
    """What differs between the runs besides their answers."""
    facts = [
        Fact(
            f'Verdict on {name}',
            formatting.decision(run.verdict, run.serving_problems),
            '; '.join((run.verdict.headline, *run.serving_problems)),
        )
        for name, run in (('A', first), ('B', second))
    ]
    if first.project != second.project:
        facts.append(Fact('Project', f'{first.project} → {second.project}'))
    for key in _KEYS:
        values = (getattr(run.facts, key) for run in (first, second))
        changed = list(changes_card.changed_values(*values))
        value = f'{len(changed):,} changed' if changed else 'the same'
        facts.append(Fact(changes_card.TERMS[key], value, '\n'.join(changed)))
    return FactCard('changes', 'From A to B', tuple(facts))
