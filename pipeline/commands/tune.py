"""`thawline tune`: training settings, searched and compared."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import rich.box
import rich.console
import rich.table
import rich.text
import yaml

from thawline.components.shared import node_names, percentages
from thawline.components.shared.durations import duration
from thawline.pipeline.commands.arguments import cache_option, project_argument
from thawline.pipeline.terminal import exit_codes
from thawline.pipeline.terminal.console import say, wide_console
from thawline.pipeline.terminal.exit_codes import Outcome

if TYPE_CHECKING:
    from thawline.components.tuning.record import HeadRecord, TuningRecord
    from thawline.pipeline.config.config import Config
    from thawline.pipeline.config.project import Project

_TITLES = {
    'fine_tune.blocks': 'blocks',
    'fine_tune.learning_rate': 'rate',
    'fine_tune.block_decay': 'decay',
    'augmentation': 'augmentation',
    'class_weights': 'class weights',
}


@click.command()
@project_argument
@cache_option
def command(project: Project, no_cache: bool) -> None:
    """Search for better training settings."""
    from thawline.components.tuning.record import TuningRecord
    from thawline.pipeline.metadata import execution_states, runs
    from thawline.pipeline.metadata.stores import opening
    from thawline.pipeline.runners import run as runner

    outcome = runner.execute(
        project, runner.RunOptions(last=(node_names.TUNER,), use_cache=not no_cache, tune=True)
    )
    if outcome is Outcome.BLESSED:
        latest = runs.read_runs(opening.open_store(project), project.name)
        tuner = next(
            result
            for run in reversed(latest)
            for result in run.nodes
            if result.node == node_names.TUNER and result.state in execution_states.SUCCESS_STATES
        )
        record = TuningRecord.read(tuner.outputs['tuner_results'].uri)
        show(wide_console(sys.stdout), record, project.config)
    exit_codes.leave(outcome)


def show(console: rich.console.Console, record: TuningRecord, config: Config) -> None:
    """Prints the heads, all trainings, the choice and the lines of thawline.yaml."""
    console.print('\n[bold]heads[/bold] on the cached features of the frozen base')
    console.print(heads_table(record.heads))
    for reason in record.found:
        say(console, f'  {reason}')
    console.print(f'\n[bold]trainings[/bold] of up to {config.tuning.epochs} epochs, best first')
    console.print(trials_table(record))
    for line in conclusions(record):
        console.print(line, highlight=False, soft_wrap=True)
    say(console, ('\nin thawline.yaml:', 'bold'))
    console.print(yaml_lines(record), highlight=False, markup=False, soft_wrap=True)
    if record.chosen:
        say(console, 'or always use the latest tuning:')
        say(console, 'training:\n  tuned: true')


def heads_table(heads: Sequence[HeadRecord]) -> rich.table.Table:
    """Heads, the current one first."""
    table = rich.table.Table(
        'features',
        'class weights',
        *(
            rich.table.Column(title, justify='right')
            for title in ('val accuracy', 'mean recall', 'log loss', 'seconds')
        ),
        box=rich.box.SIMPLE,
        pad_edge=False,
    )
    for number, head in enumerate(heads):
        table.add_row(
            ('  ' if number else '● ') + head.features,
            head.class_weights,
            percentages.percent(head.accuracy),
            percentages.percent(head.recall),
            f'{head.log_loss:.3f}',
            f'{head.seconds:.1f}',
        )
    return table


def trials_table(record: TuningRecord) -> rich.table.Table:
    """Trainings, lowest log loss first; ● marks the current settings, ★ the choice."""
    trials = record.trials
    current = trials[0].values
    names = [name for name in _TITLES if name in current]
    numbers = ('val accuracy', 'log loss', 'seconds')
    table = rich.table.Table(
        'trial',
        *(_TITLES[name] for name in names),
        *(rich.table.Column(title, justify='right') for title in numbers),
        'kept',
        box=rich.box.SIMPLE,
        pad_edge=False,
    )

    def loss(number: int) -> float:
        value = trials[number].log_loss
        return math.inf if value is None else value

    for number in sorted(range(len(trials)), key=loss):
        trial = trials[number]
        chosen = number == record.chosen
        marks = ('★' if chosen else ' ') + ('●' if number == 0 else ' ')
        cells = [f'{marks} {number + 1}']
        for name in names:
            value = trial.values[name]
            text = f'{value:g}' if isinstance(value, float) else str(value)
            cells.append(text if number == 0 or value != current[name] else f'[dim]{text}[/dim]')
        if trial.accuracy is None or trial.seconds is None or trial.kept is None:
            cells += ['diverged', '', '', '']
        else:
            cells += [
                percentages.percent(trial.accuracy),
                f'{trial.log_loss:.3f}',
                duration(trial.seconds).removesuffix(' s'),
                trial.kept.replace('_', '-'),
            ]
        table.add_row(*cells, style='bold green' if chosen else None)
    return table


def conclusions(record: TuningRecord) -> list[rich.text.Text]:
    """The choice and how certain it is, one line each."""
    error, n = record.standard_error, record.val_images
    text = rich.text.Text.assemble
    verb = 'use' if record.chosen else 'keep'
    lines = [
        text(f'● current settings, ★ chosen; {n:,} val images'),
        text((f'{verb} ', 'bold'), (record.chosen_name, 'bold green'), f': {record.why}'),
        text(
            f'one standard error of an accuracy on {n:,} images is {100 * error:.1f} points; '
            'smaller differences are noise and would change with another seed'
        ),
    ]
    if record.left_out:
        many = 'training' if record.left_out == 1 else 'trainings'
        lines.append(text(f'{record.left_out} {many} left out to stay within the budget'))
    if record.mode == 'probe':
        lines.append(text('training.mode is probe: depth, rates and augmentation were not tuned'))
    return lines


def yaml_lines(record: TuningRecord) -> str:
    """The lines of a project file that change, or a comment that none do."""
    current, chosen = record.trials[0].values, record.trials[record.chosen].values
    changes: dict[str, Any] = {}
    if record.features != record.heads[0].features:
        changes['embedding'] = {'features': record.features}
    for name, value in chosen.items():
        if value != current[name]:
            section = changes.setdefault('training', {})
            *path, key = name.split('.')
            for part in path:
                section = section.setdefault(part, {})
            section[key] = value
    if not changes:
        return '# nothing to change'
    return yaml.safe_dump(changes, sort_keys=False, allow_unicode=True, width=1000).rstrip()
