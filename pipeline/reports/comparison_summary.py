"""The result of a comparison in words and tables, for the page, Markdown and the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from thawline.components.evaluation.gate.counts import ClassChange
from thawline.components.report import formatting, tables
from thawline.components.report.tables import Cell, Column, IntervalRow, Row, Table
from thawline.pipeline.reports.comparison import ClassPair, Comparison, Flip, PairedResults

LEVEL = 0.05
_PAIR = (Column('A'), Column('B'), Column('B − A'), Column('95\u00a0% interval', 'interval'))  # noqa: RUF001


def better(results: PairedResults) -> str | None:
    """'A' or 'B' where one is significantly better, else None."""
    if results.test.different >= LEVEL:
        return None
    return 'B' if results.only_second > results.only_first else 'A'


def decision(results: PairedResults) -> str:
    """The result in a few words."""
    if winner := better(results):
        return f'{winner} is better'
    differ = results.only_first + results.only_second
    return 'No significant difference' if differ else 'No difference'


def headline(results: PairedResults) -> str:
    """The result in a sentence."""
    n, gain = formatting.image_count(results.first.n), results.only_second - results.only_first
    if not results.only_first + results.only_second:
        return f'A and B classify the same images correctly, of {n}.'
    counts = f'of {n}, {results.only_second:,} only by B and {results.only_first:,} only by A'
    p = p_value(results)
    if not gain:
        return f'A and B classify equally many images correctly ({p}): {counts}.'
    kind = 'more' if gain > 0 else 'fewer'
    chance = '' if better(results) else ', which may be chance'
    images = f'{abs(gain):,} {kind} {"image" if abs(gain) == 1 else "images"}'
    return f'B classifies {images} correctly than A{chance} ({p}): {counts}.'


def p_value(results: PairedResults) -> str:
    """McNemar's two-sided p-value."""
    return formatting.p_value(results.test.different)


def rows(comparison: Comparison) -> list[tuple[str, PairedResults]]:
    """The results on each split; before them on both together, where there are two."""
    splits = [(formatting.split_title(name), of) for name, of in comparison.splits.items()]
    return [('Both', comparison.overall), *splits] if len(splits) > 1 else splits


def class_lines(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Which classes only one of two models knows, for a terminal."""
    change = ClassChange.between(first, second)
    return [
        f'classes only in {name}: {", ".join(alone)}; their images are left out'
        for name, alone in (('A', change.removed), ('B', change.added))
        if alone
    ]


def accuracy_lines(comparison: Comparison) -> list[str]:
    """The accuracies for a terminal."""
    return [
        f'{title:<10}  A {formatting.percent(of.first.share):>7}  '
        f'B {formatting.percent(of.second.share):>7}  '
        f'{formatting.points(of.difference.value)}, 95 % interval '
        f'{formatting.difference_ends(of.difference)} ({p_value(of)})'.replace('\u00a0', ' ')
        for title, of in rows(comparison)
    ]


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
            f'{title}{" splits" if title == "Both" else ""}: accuracy, B − A',  # noqa: RUF001
            formatting.points(of.difference.value),
            f'{formatting.difference_ends(of.difference)}, {p_value(of)}, '
            f'{formatting.image_count(of.first.n)}',
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
            Column('McNemar'),
            Column('Only B correct'),
            Column('Only A correct'),
        ),
        tables.text_rows(
            (
                title,
                f'{of.first.n:,}',
                formatting.percent(of.first.share),
                formatting.percent(of.second.share),
                formatting.points(of.difference.value),
                formatting.difference_ends(of.difference),
                p_value(of),
                f'{of.only_second:,}',
                f'{of.only_first:,}',
            )
            for title, of in rows(comparison)
        ),
    )


def metrics(results: PairedResults, split: str) -> Table:
    return Table(
        f'All metrics, {formatting.split_title(split).lower()}',
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
        f'Recall, {formatting.split_title(split).lower()}',
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
