"""The comparison of two runs in Markdown (GitHub's dialect), short enough for a pull request."""

from __future__ import annotations

from thawline.components.report import formatting
from thawline.pipeline.reports import comparison_wording as words
from thawline.pipeline.reports import markdown
from thawline.pipeline.reports.comparison import ClassPair, Comparison, PairedResults

_MOST = 10


def render(told: Comparison) -> str:
    """Result, accuracies, measures, classes that differ most, images that flipped, changes."""
    escaped = markdown.escaped
    first, second = escaped(told.first), escaped(told.second)
    lines = [
        f'## {words.decision(told.together)}: {escaped(told.project)}',
        '',
        escaped(words.headline(told.together)),
        '',
        f'A is run {first}, B is run {second}; both on the same images.',
        '',
        '### Accuracy',
        '',
    ]
    lines += markdown.table(
        (
            'Images',
            'A',
            'B',
            'B less A',
            '95 % interval',
            'McNemar',
            'Only B right',
            'Only A right',
        ),
        (
            (
                f'{title}, {part.first.n:,}',
                formatting.percent(part.first.share),
                formatting.percent(part.second.share),
                words.difference(part.difference),
                words.ends(part.difference),
                words.p_value(part),
                f'{part.only_second:,}',
                f'{part.only_first:,}',
            )
            for title, part in words.accuracies(told)
        ),
    )
    name, part = next(iter(told.parts.items()))
    lines += _of_part(part, formatting.split_title(name).lower())
    lines += [f'### Images that flipped, {min(len(told.flips), _MOST)} of {len(told.flips):,}', '']
    if told.flips:
        lines += markdown.table(
            ('Image', 'Labelled', 'A', 'B'),
            (
                (
                    escaped(one.path),
                    escaped(one.label),
                    f'{escaped(one.first_answer)} ({formatting.percent(one.first_score)})',
                    f'{escaped(one.second_answer)} ({formatting.percent(one.second_score)})',
                )
                for one in told.flips[:_MOST]
            ),
        )
    for card in told.cards:
        lines += [f'### {escaped(card.title)}', '']
        for fact in card.facts:
            detail = f' ({escaped("; ".join(fact.detail.splitlines()))})' if fact.detail else ''
            lines.append(f'- {escaped(fact.term)}: {escaped(fact.value)}{detail}')
        lines.append('')
    return '\n'.join(lines)


def _of_part(part: PairedResults, title: str) -> list[str]:
    lines = [f'### Measures, {title}', '']
    lines += markdown.table(
        ('Measure', 'A', 'B', 'B less A', '95 % interval'),
        (
            (
                formatting.metric_title(one.name),
                formatting.metric_value(one.name, one.first),
                formatting.metric_value(one.name, one.second),
                words.difference(one.difference, one.name),
                words.ends(one.difference, one.name),
            )
            for one in part.metrics
        ),
    )
    lines += [f'### Recall of the classes that differ most, {title}', '']
    return lines + markdown.table(
        ('Class', 'Images', 'A', 'B', 'B less A', '95 % interval'),
        (
            (
                markdown.escaped(one.name),
                f'{one.first.n:,}',
                formatting.percent(one.first.share),
                formatting.percent(one.second.share),
                words.difference(one.difference),
                words.ends(one.difference),
            )
            for one in _most_different(part)
        ),
    )


def _most_different(part: PairedResults) -> list[ClassPair]:
    return sorted(part.classes, key=lambda one: (-abs(one.difference.value), one.name))[:_MOST]
