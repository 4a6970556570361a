"""The result of a comparison in words and tables, for the page, Markdown and the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from thawline.components.evaluation.gate.class_change import ClassChange
from thawline.components.report import formatting, tables
from thawline.components.report.tables import Cell, Column, IntervalRow, Row, Table
from thawline.components.statistics import paired_outcome
from thawline.components.statistics.paired_outcome import PairedOutcome, p_text
from thawline.pipeline.reports.comparison import ClassPair, Comparison, Flip, PairedResults

_PAIR = (Column('A'), Column('B'), Column('B − A'), Column('95\u00a0% interval', 'interval'))  # noqa: RUF001
_UNSEEN = 'New to both'


def holds(comparison: Comparison) -> bool | None:
    """True where B is better, False where it is worse, else None."""
    outcome = comparison.unseen and comparison.unseen.test.outcome
    return (
        {PairedOutcome.BETTER: True, PairedOutcome.WORSE: False}.get(outcome) if outcome else None
    )


def decision(comparison: Comparison) -> str:
    """The outcome in a few words."""
    if comparison.unseen is None:
        return 'Cannot be judged'
    outcome = comparison.unseen.test.outcome
    if outcome in (PairedOutcome.BETTER, PairedOutcome.WORSE):
        return f'B is {outcome} than A'
    return outcome.capitalize()


def headline(comparison: Comparison) -> str:
    """The outcome in sentences, as the gate has it."""
    if comparison.unseen is None:
        return (
            'There is no record of the images that the two models have seen, so none can judge '
            'them; run both again to have one.'
        )
    return paired_outcome.describe(comparison.unseen.test, 'B', 'A', comparison.shared_classes)


def rows(comparison: Comparison) -> list[tuple[str, PairedResults]]:
    """The results on the images that judge; after them those on all images of each split.

    Of a split whose images all judge there is one row.
    """
    unseen = [comparison.unseen] if comparison.unseen and comparison.unseen.test.n else []
    splits = [
        (formatting.split_title(name, of.folds), of)
        for name, of in comparison.splits.items()
        if not unseen or of.test != unseen[0].test
    ]
    return [*((_UNSEEN, of) for of in unseen), *splits]


def class_lines(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Which classes only one of two models knows, for a terminal."""
    change = ClassChange.between(first, second)
    return [
        f'classes only in {name}: {", ".join(alone)}; their images are left out, and such an '
        'answer is wrong'
        for name, alone in (('A', change.removed), ('B', change.added))
        if alone
    ]


def accuracy_lines(comparison: Comparison) -> list[str]:
    """The accuracies for a terminal."""
    shown = rows(comparison)
    width = max((len(title) for title, _ in shown), default=0)
    return [
        f'{title:<{width}}  A {formatting.percent(of.first.share):>7}  '
        f'B {formatting.percent(of.second.share):>7}  '
        f'{_points(of)} (95 % interval {_ends(of).removesuffix(" points")})'.replace('\u00a0', ' ')
        for title, of in shown
    ]


def _points(results: PairedResults) -> str:
    difference = results.test.difference
    return formatting.points(None if difference is None else difference.value)


def _ends(results: PairedResults) -> str:
    return formatting.difference_ends(results.test.difference)


def _p_value(title: str, results: PairedResults) -> str:
    """Of the images that judge alone: elsewhere a model may know some by heart."""
    if title != _UNSEEN:
        return formatting.ABSENT
    return p_text(results.test.p_value, results.test.level)


def interval_rows(comparison: Comparison) -> list[IntervalRow]:
    """The accuracies for a chart."""
    return [
        IntervalRow(title, who, interval, style)
        for title, of in rows(comparison)
        for who, interval, style in (('A', of.first, 'baseline'), ('B', of.second, 'model'))
    ]


def headline_numbers(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Term, value and words of each difference of accuracies."""
    return [
        (
            f'{title}: accuracy, B − A',  # noqa: RUF001
            _points(of),
            f'{_ends(of)}, {formatting.image_count(of.first.n)}',
        )
        for title, of in rows(comparison)
    ]


def accuracies(comparison: Comparison) -> Table:
    return Table(
        'Accuracy on the same images',
        (
            Column('Images', 'text'),
            Column('In all'),
            *_PAIR,
            Column('Exact test'),
            Column('Only B correct'),
            Column('Only A correct'),
        ),
        tables.text_rows(
            (
                title,
                f'{of.first.n:,}',
                formatting.percent(of.first.share),
                formatting.percent(of.second.share),
                _points(of),
                _ends(of),
                _p_value(title, of),
                f'{of.test.won:,}',
                f'{of.test.lost:,}',
            )
            for title, of in rows(comparison)
        ),
    )


def metrics(results: PairedResults, split: str) -> Table:
    return Table(
        f'All metrics, {formatting.split_title(split, results.folds).lower()}',
        (Column('Metric', 'text'), *_PAIR),
        tables.text_rows(
            (
                formatting.metric_title(pair.name),
                formatting.metric_value(pair.name, pair.first),
                formatting.metric_value(pair.name, pair.second),
                formatting.difference(
                    pair.difference.value if pair.difference else None, pair.name
                ),
                formatting.difference_ends(pair.difference, pair.name),
            )
            for pair in results.metrics
        ),
    )


def classes(results: PairedResults, split: str) -> Table:
    """Recall of the classes that have images."""
    return Table(
        f'Recall, {formatting.split_title(split, results.folds).lower()}',
        (Column('Class', 'name'), Column('Images'), *_PAIR),
        tuple(map(_class_row, results.classes)),
        noun='classes',
        search='Find a class',
    )


def _class_row(pair: ClassPair) -> Row:
    difference = pair.difference
    return Row(
        (
            Cell(pair.name),
            tables.count(pair.first.n),
            tables.share(pair.first.share),
            tables.share(pair.second.share),
            Cell(formatting.points(difference.value), difference.value),
            Cell(formatting.difference_ends(difference)),
        )
    )


def flips(comparison: Comparison) -> Table:
    return Table(
        'Images that flipped',
        tuple(Column(title, 'name') for title in ('Image', 'Labelled', 'A', 'B')),
        tables.text_rows(
            (
                flip.path,
                flip.label,
                f'{flip.first_answer} ({formatting.percent(flip.first_score)})',
                f'{flip.second_answer} ({formatting.percent(flip.second_score)})',
            )
            for flip in comparison.flips
        ),
    )


def note(flip: Flip) -> str:
    """The answer of A, shown beside that of B."""
    if flip.first_score is None:
        return 'A has no answer'
    return f'A predicted {flip.first_answer}, score {formatting.percent(flip.first_score)}'
