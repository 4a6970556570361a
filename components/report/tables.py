"""Tables as values: the page and Markdown render the same ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from thawline.components.report import formatting, ranking
from thawline.components.report.content import (
    ClassRow,
    Interval,
    ReportContent,
    Slice,
    SplitResults,
)


@dataclasses.dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        title: its heading.
        kind: 'name' (text from the data), 'text', 'number', 'interval' (as text), 'bar' (an
            interval, drawn where that is possible) or 'pictures' (a button, on a page alone).
    """

    title: str
    kind: str = 'number'


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: as shown.
        value: what a column of numbers is sorted by.
        interval: of a bar.
        pair: label and answer of the images that a button shows.
    """

    text: str = ''
    value: float | None = None
    interval: Interval | None = None
    pair: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """A row; `group` is what a page filters by, `small` marks few images, `remark` is a badge."""

    cells: tuple[Cell, ...]
    group: str = ''
    small: bool = False
    remark: str = ''


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: its heading.
        columns, rows: its contents.
        heading: position of the column that names the rows.
        noun: what the rows are, in the plural; a table with a noun can be sorted.
        search: label of a search field for the rows' names; none where empty.
        groups: label of the choice of all groups; none where empty.
        axis: left end of the axis of bars.
        mark: a share to draw across the bars.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    heading: int = 0
    noun: str = ''
    search: str = ''
    groups: str = ''
    axis: float = 0.0
    mark: float | None = None

    def first(self, most: int, caption: str) -> Table:
        """The first rows, under another caption."""
        return dataclasses.replace(self, rows=self.rows[:most], caption=caption)


@dataclasses.dataclass(frozen=True)
class IntervalRow:
    """A line of a chart of intervals: the interval of `who` on a split; `style` is of the chart."""

    split: str
    who: str
    interval: Interval
    style: str


def count(n: int) -> Cell:
    return Cell(f'{n:,}', n)


def share(value: float | None) -> Cell:
    return Cell(formatting.percent(value), value)


def bar(interval: Interval) -> Cell:
    return Cell(formatting.interval_ends(interval), interval=interval)


def text_rows(rows: Iterable[Iterable[str]]) -> tuple[Row, ...]:
    """Rows of cells without values."""
    return tuple(Row(tuple(map(Cell, row))) for row in rows)


def accuracy_rows(splits: Mapping[str, SplitResults]) -> list[IntervalRow]:
    """The accuracy of the model, and beside the baseline's on images that neither has seen."""
    rows = []
    for name, results in splits.items():
        title = formatting.split_title(name, results.folds)
        rows.append(IntervalRow(title, 'model', results.accuracy, 'model'))
        if results.unseen is not None:
            if results.unseen.model.n < results.accuracy.n:
                title = f'{title}, new to both'
                rows.append(IntervalRow(title, 'model', results.unseen.model, 'model'))
            rows.append(IntervalRow(title, 'baseline', results.unseen.baseline, 'baseline'))
    return rows


def metrics(splits: Mapping[str, SplitResults]) -> Table:
    """All metrics, a column a split."""
    names = dict.fromkeys(name for results in splits.values() for name in results.metrics)
    return Table(
        'All metrics',
        (
            Column('Metric', 'text'),
            *(Column(formatting.split_title(name, of.folds)) for name, of in splits.items()),
        ),
        text_rows(
            (
                formatting.metric_title(name),
                *(formatting.metric_value(name, of.metrics.get(name)) for of in splits.values()),
            )
            for name in names
        ),
    )


def confusions(content: ReportContent, split: str, most: int) -> Table:
    """The most confused pairs of classes."""
    return Table(
        'Most confused pairs',
        (
            Column('Labelled', 'name'),
            Column('Predicted', 'name'),
            Column('Images'),
            Column('Of the class'),
            Column('Pictures', 'pictures'),
        ),
        tuple(
            Row(
                (
                    Cell(content.classes[pair.cell.label]),
                    Cell(content.classes[pair.cell.answer]),
                    count(pair.cell.count),
                    share(pair.share),
                    Cell(pair=(pair.cell.label, pair.cell.answer)),
                )
            )
            for pair in ranking.top_confusions(content.splits[split], most)
        ),
        noun='pairs',
    )


def classes(results: SplitResults, title: str, rows: Sequence[ClassRow] | None = None) -> Table:
    """Scores of all classes, or of some `rows`."""
    rows = results.classes if rows is None else rows
    has_train = any(row.train_images is not None for row in rows)
    return Table(
        f'Classes, {title}',
        (
            Column('Class', 'name'),
            Column('Recall'),
            Column('95\u00a0% interval', 'bar'),
            Column('Images'),
            *([Column('In train')] if has_train else []),
            Column('Precision'),
            Column('F1'),
            Column('AUC'),
        ),
        tuple(
            Row(
                (
                    Cell(row.name),
                    share(row.recall.share),
                    bar(row.recall),
                    count(row.images),
                    *([count(row.train_images or 0)] if has_train else []),
                    share(row.precision),
                    share(row.f1),
                    Cell(formatting.metric_value('auc_ovr', row.auc), row.auc),
                )
            )
            for row in rows
        ),
        noun='classes',
        search='Find a class',
        axis=ranking.axis_floor([row.recall for row in rows]),
        mark=results.accuracy.share,
    )


def weak_slices(results: SplitResults, title: str) -> Table:
    """Slices that can be judged and are below all images, the largest gap first."""
    return _slices(results, ranking.weak_slices(results.slices), f'Weak slices, {title}')


def other_slices(results: SplitResults, title: str) -> Table:
    """All other slices: those that are not below all images, and those with few images."""
    weak = ranking.weak_slices(results.slices)
    others = [of for of in results.slices if of not in weak]
    return _slices(results, others, f'Other slices, {title}')


def _slices(results: SplitResults, slices: Sequence[Slice], caption: str) -> Table:
    large = [of.accuracy for of in results.slices if not of.small]
    return Table(
        caption,
        (
            Column('Column', 'name'),
            Column('Value', 'name'),
            Column('Gap, points'),
            Column('95\u00a0% interval', 'interval'),
            Column('Accuracy'),
            Column('95\u00a0% interval', 'bar'),
            Column('Images'),
        ),
        tuple(
            Row(
                (
                    Cell(of.column),
                    Cell(of.value),
                    _gap(of),
                    Cell(formatting.difference_ends(of.gap).removesuffix(' points')),
                    share(of.accuracy.share),
                    bar(of.accuracy),
                    count(of.accuracy.n),
                ),
                of.column,
                of.small,
                _remark(of),
            )
            for of in slices
        ),
        heading=1,
        noun='slices',
        search='Find a value',
        groups='All columns',
        axis=ranking.axis_floor(large or [of.accuracy for of in results.slices]),
        mark=results.accuracy.share,
    )


def _gap(of: Slice) -> Cell:
    value = of.gap.value if of.gap else None
    return Cell(formatting.points(value).removesuffix(' points'), value)


def _remark(of: Slice) -> str:
    if of.small:
        return 'few images'
    below = of.gap is not None and of.gap.value < 0
    return 'may be chance' if below and of.gap and not of.gap.clear else ''


def calibration(results: SplitResults) -> Table:
    """The bins of the calibration that have images."""
    return Table(
        'Ten bins of equal width',
        (
            Column('Score', 'text'),
            Column('Images'),
            Column('Mean'),
            Column('Accuracy'),
            Column('Interval', 'interval'),
        ),
        text_rows(
            (
                f'{100 * of.lower:.0f} to {formatting.percent(of.upper, 0)}',
                f'{of.accuracy.n:,}',
                formatting.percent(of.score),
                formatting.percent(of.accuracy.share),
                formatting.interval_ends(of.accuracy),
            )
            for of in results.calibration
            if of.accuracy.n
        ),
    )
