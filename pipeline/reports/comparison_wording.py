"""What a comparison of two runs comes to, in words that the page, Markdown and terminal share."""

from __future__ import annotations

from thawline.components.report import formatting
from thawline.components.shared import percentages
from thawline.components.statistics.paired import Difference
from thawline.components.statistics.proportions import Interval
from thawline.pipeline.reports.comparison import Comparison, Flip, PairedResults

LEVEL = 0.05


def better(part: PairedResults) -> str | None:
    """'A' or 'B' where one is significantly better, else None."""
    if part.test.different >= LEVEL:
        return None
    return 'B' if part.only_second > part.only_first else 'A'


def decision(part: PairedResults) -> str:
    """The result in a few words."""
    found = better(part)
    if found:
        return f'{found} is better'
    return 'No clear difference' if part.only_first + part.only_second else 'No difference'


def headline(part: PairedResults) -> str:
    """The result in a sentence or two."""
    n, gain = formatting.image_count(part.first.n), part.only_second - part.only_first
    if not part.only_first + part.only_second:
        return f'A and B answer the same of {n} right.'
    told = f'of {n} B alone is right on {part.only_second:,}, A alone on {part.only_first:,}'
    chance = '' if better(part) else ', which may be chance'
    if not gain:
        return f'B answers as many images right as A ({p_value(part)}): {told}.'
    kind = 'more' if gain > 0 else 'fewer'
    count = f'{abs(gain):,} {kind} {"image" if abs(gain) == 1 else "images"}'
    return f'B answers {count} right than A{chance} ({p_value(part)}): {told}.'


def p_value(part: PairedResults) -> str:
    """McNemar's two-sided p-value."""
    p = part.test.different
    return f'p = {p:.3f}' if p >= 0.001 else 'p < 0.001'


def number(value: float, name: str = '') -> str:
    """A difference of shares in points, of other measures as a number; signed."""
    if name in formatting.PLAIN_METRICS:
        return f'{value:+.3f}'.replace('-', '\N{MINUS SIGN}')
    return formatting.points(value)


def difference(found: Difference | None, name: str = '') -> str:
    """'+4.2 points'."""
    return formatting.ABSENT if found is None else number(found.value, name)


def ends(found: Difference | None, name: str = '') -> str:
    """'−1.2 to +9.6 points'."""  # noqa: RUF002  what it writes
    if found is None or found.lower is None or found.upper is None:
        return formatting.ABSENT
    low = number(found.lower, name).removesuffix(' points')
    return f'{low} to {number(found.upper, name)}'


def accuracies(told: Comparison) -> list[tuple[str, PairedResults]]:
    """A row for all images together, where there is more than one split, and one a split."""
    rows = [(formatting.split_title(name), part) for name, part in told.parts.items()]
    return [('Both', told.together), *rows] if len(rows) > 1 else rows


def accuracy_lines(comparison: Comparison) -> list[str]:
    """The rows of `accuracies` for a terminal."""
    return [
        f'{title:<10}  A {_share(part.first)}  B {_share(part.second)}  '
        f'{difference(part.difference)}, 95 % interval {ends(part.difference)} ({p_value(part)})'
        for title, part in accuracies(comparison)
    ]


def _share(interval: Interval) -> str:
    share = interval.share
    return f'{formatting.ABSENT if share is None else percentages.percent(share):>7}'


def note(flip: Flip) -> str:
    """What A answered, beside what B did."""
    if flip.first_score is None:
        return 'A has no answer'
    return f'A answered {flip.first_answer}, {formatting.percent(flip.first_score)} sure'
