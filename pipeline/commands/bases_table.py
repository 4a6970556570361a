"""What `thawline bases` prints: the ranking, what it means, and the lines of thawline.yaml."""

from __future__ import annotations

import math
from collections.abc import Sequence

import rich.box
import rich.console
import rich.table
import rich.text
import yaml

from thawline.components.backbones import registry
from thawline.components.shared import percentages
from thawline.components.statistics import clustered
from thawline.components.statistics.clustered import AccuracyGain, Estimate
from thawline.pipeline.base_ranking.candidates import Candidate, MissingBase
from thawline.pipeline.base_ranking.compare import BaseComparison, MeasuredBase
from thawline.pipeline.config.config import Config
from thawline.pipeline.terminal.console import WIDE, say


def show(console: rich.console.Console, comparison: BaseComparison, config: Config) -> None:
    """Prints the ranking, what it means, and what to put into the project file."""
    _print_missing(console, comparison.missing)
    console.print(table(comparison, config, console.width >= WIDE))
    for line in conclusions(comparison, config):
        console.print(line, highlight=False, soft_wrap=True)
    say(console, ('\nin thawline.yaml:\n', 'bold'))
    console.print(
        yaml_lines(comparison.bases[comparison.ranking.recommended].candidate),
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def _print_missing(console: rich.console.Console, missing: Sequence[MissingBase]) -> None:
    for item in missing:
        file = f'; its file: {item.file}' if item.file else ''
        say(console, (f'  left out  {item.backbone}: {item.reason}{file}', 'dim'))
    if any(item.file for item in missing):
        say(
            console,
            '  to include them: add --download, or put their weights into '
            f'{registry.keras_home() / "models"} or the folder of --weights',
        )


def table(comparison: BaseComparison, config: Config, wide: bool = True) -> rich.table.Table:
    """Bases, best first, then random weights and the largest class.

    In a narrow terminal the bars are short and replace the intervals.
    """
    ranking = comparison.ranking
    ranked = [comparison.bases[i] for i in ranking.order]
    chosen = comparison.bases[ranking.recommended]
    random = comparison.random.transfer
    ends = [row.transfer.probe for row in ranked] + [random.probe, random.majority]
    low = math.floor(min(e.lower for e in ends) * 10) / 10
    high = math.ceil(max(e.upper for e in ends) * 10) / 10
    width = 24 if wide else 11  # the longest line then keeps to 80 columns
    rows = rich.table.Table(box=rich.box.SIMPLE, pad_edge=False)
    rows.add_column('base and size', no_wrap=True)
    start, end = percentages.percent(low, 0), percentages.percent(high, 0)
    rows.add_column(f'{start}{end:>{width - len(start)}}', no_wrap=True)
    rows.add_column('accuracy (95 %)' if wide else 'acc.', no_wrap=True)
    for title in ('kNN', 'ms', 'M par.', 'MB') if wide else ('kNN', 'ms', 'MB'):
        rows.add_column(title, justify='right', no_wrap=True)

    def add(name: str, style: str, row: MeasuredBase | None, probe: Estimate) -> None:
        interval = f' ({percentages.between(probe.lower, probe.upper)})' if wide else ''
        cells = [
            rich.text.Text(name, style),
            rich.text.Text(bar_of(probe, low, high, width), style),
            rich.text.Text(f'{percentages.percent(probe.share)}{interval}'),
        ]
        if row is not None:
            numbers = [percentages.percent(row.transfer.knn.share), f'{row.cost.milliseconds:.1f}']
            numbers += [f'{row.cost.parameters / 1e6:.1f}'] if wide else []
            cells += [rich.text.Text(n) for n in (*numbers, f'{row.cost.megabytes:.0f}')]
        rows.add_row(*cells)

    for row in ranked:
        mark = '★ ' if row is chosen else '  '
        current = ' (now)' if _is_current(row.candidate, config) else ''
        style = 'bold green' if row is chosen else 'cyan'
        add(f'{mark}{row.candidate.label}{current}', style, row, row.transfer.probe)
    add('  random weights', 'dim', comparison.random, random.probe)
    add('  the largest class', 'dim', None, random.majority)
    return rows


def bar_of(estimate: Estimate, low: float, high: float, width: int) -> str:
    """`█████▒┃▒`: solid up to the interval, shaded over it, a line at the share itself."""

    def place(share: float) -> int:
        return min(width - 1, max(0, int((share - low) / (high - low) * width)))

    start, end, point = place(estimate.lower), place(estimate.upper), place(estimate.share)
    cells = ['█'] * start + ['▒'] * (end - start + 1)
    cells[point] = '┃'
    return ''.join(cells)


def _is_current(candidate: Candidate, config: Config) -> bool:
    return (candidate.backbone, candidate.image_size) == (config.model.backbone, config.image_size)


def _points(difference: AccuracyGain) -> str:
    """`+3.1 points (95 %: +0.4 to +5.8)`."""
    mean, lower, upper = (
        100 * value for value in (difference.mean, difference.lower, difference.upper)
    )
    return f'{mean:+.1f} points (95 %: {lower:+.1f} to {upper:+.1f})'


def conclusions(comparison: BaseComparison, config: Config) -> list[rich.text.Text]:
    """What the numbers say, one line each."""
    ranking = comparison.ranking
    best, chosen = comparison.bases[ranking.best], comparison.bases[ranking.recommended]
    text = rich.text.Text.assemble
    if chosen is best:
        why = 'the most accurate; no faster one comes within one standard error of it'
        if not any(row.cost.milliseconds < best.cost.milliseconds for row in comparison.bases):
            why = 'most accurate and fastest' if len(comparison.bases) > 1 else 'the only candidate'
    else:
        behind, share = (
            ranking.best_over_recommended,
            chosen.cost.milliseconds / best.cost.milliseconds,
        )
        why = (
            f'within one standard error of the best ({best.candidate.label}: '
            f'{100 * behind.mean:+.1f} points, standard error {100 * behind.standard_error:.1f}) '
            f'at {percentages.percent(share, 0)} of its time per image'
        )
    verb = 'keep ' if _is_current(chosen.candidate, config) else 'use '
    lines = [text((verb, 'bold'), (chosen.candidate.label, 'bold green'), f': {why}')]
    current = next((row for row in comparison.bases if _is_current(row.candidate, config)), None)
    if current is not None and current is not chosen:
        gain = clustered.accuracy_gain(
            chosen.transfer.probe_hits, current.transfer.probe_hits, comparison.sample.groups
        )
        lines.append(text(f'against the current {current.candidate.label}: {_points(gain)}'))
    if not ranking.best_over_majority.significant:
        warning = (
            'no base separates these classes: the best is not significantly better than always '
            f'answering the largest class, {_points(ranking.best_over_majority)}'
        )
    elif not ranking.best_over_random.significant:
        warning = (
            'pretrained features do not help here: the best base is not significantly better than '
            f'random weights, {_points(ranking.best_over_random)}'
        )
    else:
        over = _points(ranking.best_over_random)
        return [*lines, text(f'pretraining helps: the best base is {over} above random weights')]
    return [*lines, text(('warning: ', 'bold yellow'), warning)]


def yaml_lines(candidate: Candidate) -> str:
    """The lines of a project file that select this base at this size."""
    return yaml.safe_dump(
        {
            'preprocessing': {'image_size': candidate.image_size},
            'model': {'backbone': candidate.backbone, 'weights': candidate.weights},
        },
        sort_keys=False, allow_unicode=True, width=1000,
    ).rstrip()  # fmt: skip
