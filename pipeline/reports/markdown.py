"""The report and the comparison in Markdown (GitHub's dialect), short enough for a pull request.

Names from the data are escaped: Markdown and HTML in them have no effect, and each stays within
its line or cell.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterator

from thawline.components.report import first_screen, formatting, ranking, tables
from thawline.components.report.content import FactCard, ReportContent
from thawline.components.report.tables import Column, Table
from thawline.pipeline.reports import comparison_summary
from thawline.pipeline.reports.comparison import Comparison

_MARKUP = re.compile(r'([\\`*_\[\]#+|~@]|:(?=//))')
_MOST = 10
_ENTITIES = {'&': '&amp;', '<': '&lt;', '>': '&gt;'}


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line.

    Control characters and those that change the direction of text become spaces; mentions and
    links are escaped.
    """
    text = ''.join(
        ' ' if unicodedata.category(char) in ('Cc', 'Cf', 'Cs', 'Zl', 'Zp') else char
        for char in text
    )
    for mark, entity in _ENTITIES.items():
        text = text.replace(mark, entity)
    return _MARKUP.sub(r'\\\1', ' '.join(text.split()))


def _table(table: Table) -> Iterator[str]:
    shown = [i for i, column in enumerate(table.columns) if column.kind != 'pictures']
    yield f'### {table.caption}\n'
    if not table.rows:
        yield 'No rows.\n'
        return
    yield f'| {" | ".join(table.columns[i].title for i in shown)} |'
    yield f'|{" --- |" * len(shown)}'
    for row in table.rows:
        cells = ((row.cells[i].text, table.columns[i].kind) for i in shown)
        yield f'| {" | ".join(escape(text) if kind == "name" else text for text, kind in cells)} |'
    yield ''


def _card(card: FactCard, details: bool = True) -> Iterator[str]:
    yield f'### {escape(card.title)}\n'
    for fact in card.facts:
        detail = escape('; '.join(fact.detail.splitlines())) if details else ''
        yield f'- {escape(fact.term)}: {escape(fact.value)}{f" ({detail})" if detail else ""}'
    yield ''


def render(content: ReportContent) -> str:
    """The report: verdict, rules, accuracy, worst classes, confusions, changes."""
    return '\n'.join(_report_lines(content))


def _report_lines(content: ReportContent) -> Iterator[str]:
    verdict = content.verdict
    mark = '✅' if content.is_servable else '❌'
    yield f'## {mark} {first_screen.title(content)}: {escape(content.project)}\n'
    yield from (f'{escape(sentence)}\n' for sentence in first_screen.sentences(content))
    yield from (f'⚠️ {escape(caution)}\n' for caution in verdict.cautions)
    yield f'Run {escape(content.run)}, {escape(content.created)}\n'
    for card in content.findings:
        yield from _card(card)
    yield from _table(_rules(content))
    yield from _table(_accuracies(content))
    for split, results in list(content.splits.items())[:1]:
        title = formatting.split_title(split, results.folds).lower()
        worst = tables.classes(results, title, ranking.worst_classes(results, _MOST))
        yield from _table(dataclasses.replace(worst, caption=f'Worst classes, {title}'))
        confusions = tables.confusions(content, split, _MOST)
        yield from _table(dataclasses.replace(confusions, caption=f'Top confusions, {title}'))
    for card in content.cards:
        if card.name == 'changes' and card.facts:
            yield from _card(card, details=False)


def _rules(content: ReportContent) -> Table:
    return Table(
        'Rules',
        (
            Column('', 'text'),
            Column('Rule', 'name'),
            Column('Measured'),
            Column('Bound'),
            Column('Margin'),
            Column('What would change it', 'name'),
        ),
        tables.text_rows(
            (
                formatting.rule_outcome(rule),
                rule.title,
                formatting.rule_number(rule, rule.value),
                formatting.rule_number(rule, rule.bound),
                formatting.rule_margin(rule),
                rule.change,
            )
            for rule in content.verdict.rules
        ),
    )


def _accuracies(content: ReportContent) -> Table:
    titles = ('Split', 'Model', 'Accuracy', '95 % interval', 'Images')
    return Table(
        'Accuracy',
        tuple(Column(title, 'text') for title in titles),
        tables.text_rows(
            (
                row.split,
                row.who,
                formatting.percent(row.interval.share),
                formatting.interval_ends(row.interval),
                f'{row.interval.n:,}',
            )
            for row in tables.accuracy_rows(content.splits)
        ),
    )


def render_comparison(comparison: Comparison) -> str:
    """The comparison: result, accuracies, metrics, classes that differ most, flips, changes."""
    return '\n'.join(_comparison_lines(comparison))


def _comparison_lines(comparison: Comparison) -> Iterator[str]:
    first, second = escape(comparison.first), escape(comparison.second)
    yield f'## {comparison_summary.decision(comparison)}: {escape(comparison.project)}\n'
    yield f'{escape(comparison_summary.headline(comparison))}\n'
    yield f'A is run {first}, B is run {second}, both on the same images.\n'
    yield from _table(comparison_summary.accuracies(comparison))
    for split, results in list(comparison.splits.items())[:1]:
        title = formatting.split_title(split, results.folds).lower()
        yield from _table(comparison_summary.metrics(results, split))
        ordered = sorted(results.classes, key=lambda pair: (-abs(pair.difference.value), pair.name))
        classes = comparison_summary.classes(
            dataclasses.replace(results, classes=tuple(ordered)), split
        )
        yield from _table(classes.first(_MOST, f'Recall of the classes that differ most, {title}'))
    shown, n = min(len(comparison.flips), _MOST), len(comparison.flips)
    flips = comparison_summary.flips(comparison)
    yield from _table(flips.first(_MOST, f'{flips.caption}, {shown} of {n:,}'))
    for card in comparison.cards:
        yield from _card(card)
