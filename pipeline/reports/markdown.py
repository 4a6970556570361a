"""The report in Markdown (GitHub's dialect), short enough for a pull request.

Names come from the data: whatever Markdown or HTML would read as markup is escaped, and what could
not stand in one line of a table is a space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from thawline.components.report import formatting, ranking
from thawline.components.report.content import ReportContent, SplitResults

_MARKUP = re.compile(r'([\\`*_\[\]#+|~@]|:(?=//))')
_MOST = 10
_ENTITIES = {'&': '&amp;', '<': '&lt;', '>': '&gt;'}


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, in one line.

    Control characters and those that turn the direction of text become spaces; what
    would notify a user or become a link is escaped too.
    """
    kept = ''.join(
        ' ' if unicodedata.category(one) in ('Cc', 'Cf', 'Cs', 'Zl', 'Zp') else one for one in text
    )
    for mark, entity in _ENTITIES.items():
        kept = kept.replace(mark, entity)
    return _MARKUP.sub(r'\\\1', ' '.join(kept.split()))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ['| ' + ' | '.join(heads) + ' |', '|' + ' --- |' * len(heads)]
    return [*lines, *('| ' + ' | '.join(row) + ' |' for row in rows), '']


def render(content: ReportContent) -> str:
    """The report as Markdown: verdict, rules, accuracy, worst classes, confusions, what changed."""
    verdict = content.verdict
    lines = [
        f'## {"✅ Blessed" if verdict.blessed else "❌ Not blessed"}: {escaped(content.project)}',
        '',
        escaped(verdict.headline),
        '',
        f'Run {escaped(content.run)}, {escaped(content.created)}',
        '',
        '### Rules',
        '',
    ]
    lines += table(
        ('', 'Rule', 'Measured', 'Bound', 'Margin', 'What would change it'),
        (
            (
                formatting.rule_outcome(rule),
                escaped(rule.title),
                formatting.rule_number(rule, rule.value),
                formatting.rule_number(rule, rule.bound),
                formatting.rule_margin(rule),
                escaped(rule.change),
            )
            for rule in verdict.rules
        ),
    )
    lines += ['### Accuracy', '']
    lines += table(
        ('Split', 'Model', 'Accuracy', '95 % interval', 'Images'),
        (
            (
                split,
                whose,
                formatting.percent(one.share),
                formatting.interval_ends(one),
                f'{one.n:,}',
            )
            for split, whose, one in formatting.accuracy_rows(content.parts)
        ),
    )
    name, part = next(iter(content.parts.items()), ('', None))
    if part is not None:
        lines += _of_part(content, part, formatting.split_title(name).lower())
    for card in content.cards:
        if card.name == 'changes' and card.facts:
            lines += [f'### {escaped(card.title)}', '']
            lines += [f'- {escaped(fact.term)}: {escaped(fact.value)}' for fact in card.facts]
            lines += ['']
    return '\n'.join(lines)


def _of_part(content: ReportContent, part: SplitResults, title: str) -> list[str]:
    lines = [f'### Worst classes, {title}', '']
    lines += table(
        ('Class', 'Recall', '95 % interval', 'Precision', 'Images'),
        (
            (
                escaped(row.name),
                formatting.percent(row.recall.share),
                formatting.interval_ends(row.recall),
                formatting.percent(row.precision),
                f'{row.images:,}',
            )
            for row in ranking.worst_classes(part, _MOST)
        ),
    )
    found = ranking.top_confusions(part, _MOST)
    lines += [f'### Top confusions, {title}', '']
    if not found:
        return [*lines, 'No image was answered as another class.', '']
    return lines + table(
        ('Labelled', 'Answered', 'Images', 'Of the class'),
        (
            (
                escaped(content.classes[one.cell.label]),
                escaped(content.classes[one.cell.answer]),
                f'{one.cell.count:,}',
                formatting.percent(one.share),
            )
            for one in found
        ),
    )
