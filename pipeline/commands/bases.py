"""`thawline bases`: which base suits these images, as a person sees it."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import math
import pathlib
import time
from collections.abc import Sequence

import rich.box
import rich.console
import rich.table
import rich.text
import yaml

from thawline.components.backbones import registry
from thawline.components.shared import percentages
from thawline.components.shared.durations import duration
from thawline.components.shared.errors import ConfigError, UserError
from thawline.components.statistics import clustered
from thawline.components.statistics.clustered import Difference, Estimate
from thawline.pipeline.base_ranking import compare, ingested_images
from thawline.pipeline.base_ranking.candidates import Candidate, MissingBase
from thawline.pipeline.base_ranking.compare import BaseComparison, MeasuredBase
from thawline.pipeline.config.models import Config
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.runners import run as run_lib
from thawline.pipeline.system import log_redirect, signals
from thawline.pipeline.terminal import progress_display
from thawline.pipeline.terminal.console import ROOMY, roomy_console, say
from thawline.pipeline.terminal.exit_codes import Outcome


def execute(
    project: Project,
    images: int,
    chosen: Sequence[str],
    at: Sequence[int],
    folder: pathlib.Path | None = None,
    download: bool = False,
) -> Outcome:
    """Compares bases and tells the terminal; returns how it ended.

    Args:
        images: how many training images at most.
        chosen: names of bases.
        at: image sides in pixels; without any, each base's own.
        folder: where weights files may lie.
        download: whether Keras may fetch weights.

    Raises:
        ConfigError, DataError: what a person can mend, before or while it runs.
    """
    began = time.monotonic()
    if folder is not None and not folder.is_dir():
        raise ConfigError(f'--weights takes a folder with weights files; received {folder}')
    found, missing = compare.find_candidates(project, chosen, at, folder, download)
    if not found:
        why = '\n'.join(f'  {item.backbone}: {item.reason}' for item in missing)
        raise ConfigError(f'there are no weights of any of the bases\n{why}')
    split = ingested_images.train_split(project)
    if split is None:
        # Images do not depend on the base; with random weights the run asks for no weights.
        outcome = run_lib.execute(
            project.with_weights('random'), run_lib.Options(last=('ImageExampleGen',))
        )
        split = ingested_images.train_split(project)
        if outcome is not Outcome.BLESSED or split is None:
            return outcome or Outcome.CRASHED
    stamp = datetime.datetime.now().strftime('%Y%m%d-%H%M%S')
    log = project.logs / f'{stamp}-bases.log'
    with signals.interruptible(), log_redirect.redirect_output(log) as terminal:
        console = roomy_console(terminal)
        try:
            comparison = _measure(console, project.config, split, images, found, missing)
        except Exception as error:
            if signals.is_stop_requested():
                say(console, ('error: ', 'bold red'), 'stopped on request; nothing was changed')
                return Outcome.INTERRUPTED
            if isinstance(error, UserError):
                raise
            logging.exception('the comparison crashed')
            say(console, ('error: ', 'bold red'), f'{error} ({type(error).__name__})')
            say(console, f'  log     {log}')
            return Outcome.CRASHED
        show(console, comparison, project.config)
        file = project.output / 'bases' / f'{stamp}.json'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(compare.to_json(comparison, project.config), indent=1), 'utf-8')
        say(console, f'  time    {duration(time.monotonic() - began)}')
        say(console, f'  numbers {file}')
    return Outcome.BLESSED


def _measure(
    console: rich.console.Console,
    config: Config,
    split: pathlib.Path,
    count: int,
    found: Sequence[Candidate],
    missing: Sequence[MissingBase],
) -> BaseComparison:
    say(
        console,
        (config.name, 'bold'),
        f'  compares {", ".join(c.label for c in found)} and random weights on at most {count:,} '
        'training images; val and test stay unseen',
    )
    starting = console.status('starting TensorFlow')
    with starting if console.is_terminal else contextlib.nullcontext():
        from thawline.pipeline.base_ranking import crossval, images

    sample = images.load_sample(split, count, config.training.seed, crossval.FOLDS)
    say(
        console,
        f'  images  {len(sample.labels):,} of {sample.of:,}, {len(sample.classes)} classes',
    )
    width = max(17, *(len(c.label) for c in found))
    shown = progress_display.Display(console, lambda result: said[result.node])
    said: dict[str, str] = {}
    first = True

    def name(candidate: Candidate) -> str:
        label = 'random weights' if candidate.weights == 'random' else candidate.label
        return f'{label:<{width}}'

    def measured(row: MeasuredBase, rest: Sequence[Candidate]) -> None:
        nonlocal first
        key = name(row.candidate)
        said[key] = (
            f'accuracy {percentages.percent(row.transfer.probe.share)}, '
            f'{row.cost.milliseconds:.1f} ms an image'
        )
        shown.ended(NodeResult(key, 'complete', {}, row.seconds))
        if first and rest:
            left = compare.seconds_left(row, len(sample.labels), rest)
            say(
                console,
                (f'  about {duration(left)} for the other {len(rest)}', 'dim'),
            )
        first = False

    return compare.compare_bases(
        found, missing, sample, config.preprocessing.resize, config.training.seed,
        measured, lambda candidate: shown.started(name(candidate)),
    )  # fmt: skip


def show(console: rich.console.Console, comparison: BaseComparison, config: Config) -> None:
    """Prints the table, what it means, and what to put into the project file."""
    _left_out(console, comparison.missing)
    console.print(table(comparison, config, console.width >= ROOMY))
    for line in conclusions(comparison, config):
        console.print(line, highlight=False, soft_wrap=True)
    say(console, ('\nin thawline.yaml:\n', 'bold'))
    console.print(
        yaml_lines(comparison.rows[comparison.verdict.recommended].candidate),
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def _left_out(console: rich.console.Console, missing: Sequence[MissingBase]) -> None:
    for item in missing:
        file = f'; its file: {item.file}' if item.file else ''
        say(console, (f'  left out  {item.backbone}: {item.reason}{file}', 'dim'))
    if any(item.file for item in missing):
        say(
            console,
            '  to compare those without weights too: --download, or put their files into '
            f'{registry.keras_home() / "models"} or a folder given with --weights',
        )


def table(comparison: BaseComparison, config: Config, roomy: bool = True) -> rich.table.Table:
    """Bases, best first, then what random weights and guessing reach.

    Without room the bars are short and stand for the intervals.
    """
    verdict = comparison.verdict
    ranked = [comparison.rows[i] for i in verdict.order]
    chosen = comparison.rows[verdict.recommended]
    random = comparison.random.transfer
    ends = [row.transfer.probe for row in ranked] + [random.probe, random.majority]
    low = math.floor(min(e.lower for e in ends) * 10) / 10
    high = math.ceil(max(e.upper for e in ends) * 10) / 10
    width = 24 if roomy else 11  # the longest line then keeps to 80 columns
    out = rich.table.Table(box=rich.box.SIMPLE, pad_edge=False)
    out.add_column('base and size', no_wrap=True)
    start, end = percentages.percent(low, 0), percentages.percent(high, 0)
    out.add_column(f'{start}{end:>{width - len(start)}}', no_wrap=True)
    out.add_column('accuracy (95 %)' if roomy else 'acc.', no_wrap=True)
    for title in ('kNN', 'ms', 'M par.', 'MB') if roomy else ('kNN', 'ms', 'MB'):
        out.add_column(title, justify='right', no_wrap=True)

    def add(name: str, style: str, row: MeasuredBase | None, probe: Estimate) -> None:
        interval = f' ({percentages.between(probe.lower, probe.upper)})' if roomy else ''
        cells = [
            rich.text.Text(name, style),
            rich.text.Text(bar_of(probe, low, high, width), style),
            rich.text.Text(f'{percentages.percent(probe.share)}{interval}'),
        ]
        if row is not None:
            numbers = [percentages.percent(row.transfer.knn.share), f'{row.cost.milliseconds:.1f}']
            numbers += [f'{row.cost.parameters / 1e6:.1f}'] if roomy else []
            cells += [rich.text.Text(n) for n in (*numbers, f'{row.cost.megabytes:.0f}')]
        out.add_row(*cells)

    for row in ranked:
        mark = '★ ' if row is chosen else '  '
        now = ' (now)' if _is_now(row.candidate, config) else ''
        style = 'bold green' if row is chosen else 'cyan'
        add(f'{mark}{row.candidate.label}{now}', style, row, row.transfer.probe)
    add('  random weights', 'dim', comparison.random, random.probe)
    add('  the largest class', 'dim', None, random.majority)
    return out


def bar_of(estimate: Estimate, low: float, high: float, width: int) -> str:
    """`█████▒┃▒`: full up to the interval, shaded over it, a line at the share itself."""

    def place(share: float) -> int:
        return min(width - 1, max(0, int((share - low) / (high - low) * width)))

    start, end, point = place(estimate.lower), place(estimate.upper), place(estimate.share)
    cells = ['█'] * start + ['▒'] * (end - start + 1)
    cells[point] = '┃'
    return ''.join(cells)


def _is_now(candidate: Candidate, config: Config) -> bool:
    return (candidate.backbone, candidate.image_size) == (config.model.backbone, config.image_size)


def _points(difference: Difference) -> str:
    """`+3.1 points (95 %: +0.4 to +5.8)`."""
    mean, lower, upper = (
        100 * value for value in (difference.mean, difference.lower, difference.upper)
    )
    return f'{mean:+.1f} points (95 %: {lower:+.1f} to {upper:+.1f})'


def conclusions(comparison: BaseComparison, config: Config) -> list[rich.text.Text]:
    """What the numbers say, a line each."""
    verdict = comparison.verdict
    best, chosen = comparison.rows[verdict.best], comparison.rows[verdict.recommended]
    text = rich.text.Text.assemble
    if chosen is best:
        why = 'the best; nothing cheaper comes within one standard error of it'
        if not any(row.cost.milliseconds < best.cost.milliseconds for row in comparison.rows):
            why = 'the best, and the cheapest' if len(comparison.rows) > 1 else 'the only one here'
    else:
        behind, share = verdict.behind, chosen.cost.milliseconds / best.cost.milliseconds
        why = (
            f'within one standard error of the best ({best.candidate.label}: '
            f'{100 * behind.mean:+.1f} points, standard error {100 * behind.standard_error:.1f}) '
            f'at {percentages.percent(share, 0)} of its time an image'
        )
    kept = ', as now' if _is_now(chosen.candidate, config) else ''
    lines = [text(('take ', 'bold'), (chosen.candidate.label, 'bold green'), f'{kept}: {why}')]
    now = next((row for row in comparison.rows if _is_now(row.candidate, config)), None)
    if now is not None and now is not chosen:
        gain = clustered.difference(
            chosen.transfer.probe_hits, now.transfer.probe_hits, comparison.sample.groups
        )
        lines.append(text(f'instead of {now.candidate.label}, as now: {_points(gain)}'))
    over = _points(verdict.over_random)
    if not verdict.over_majority.is_gain:
        over = _points(verdict.over_majority)
        warning = (
            f'no base tells these classes apart: the best is not significantly better than always '
            f'saying the largest class, {over}'
        )
    elif not verdict.over_random.is_gain:
        warning = (
            "the features of these bases don't help here: the best is not significantly better "
            f'than random weights, {over}'
        )
    else:
        lines.append(text('pretraining helps: the best is ', f'{over} above random weights'))
        return lines
    lines.append(text(('warning: ', 'bold yellow'), warning))
    return lines


def yaml_lines(candidate: Candidate) -> str:
    """The sections of a project file that choose this base at this size."""
    return yaml.safe_dump(
        {
            'preprocessing': {'image_size': candidate.image_size},
            'model': {'backbone': candidate.backbone, 'weights': candidate.weights},
        },
        sort_keys=False, allow_unicode=True, width=1000,
    ).rstrip()  # fmt: skip
