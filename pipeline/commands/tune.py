"""`thawline tune`: other settings of training, tried and compared, as a person sees it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import rich.box
import rich.console
import rich.table
import rich.text
import yaml

from thawline.components.shared import percentages
from thawline.components.shared.durations import duration
from thawline.pipeline.config.models import Config
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import node_records
from thawline.pipeline.metadata import runs as metadata
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.runners import run as run_lib
from thawline.pipeline.terminal.console import roomy_console, say
from thawline.pipeline.terminal.exit_codes import Outcome

_TITLES = {
    'fine_tune.blocks': 'blocks',
    'fine_tune.learning_rate': 'rate',
    'fine_tune.block_decay': 'decay',
    'augmentation': 'augmentation',
    'class_weights': 'class weights',
}


def execute(project: Project, use_cache: bool = True) -> Outcome:
    """Runs the chain up to the Tuner and shows what it found; returns how it ended.

    Raises:
        ConfigError, DataError: what a person can mend, before anything runs.
    """
    options = run_lib.Options(last=('Tuner',), use_cache=use_cache, tune=True)
    outcome = run_lib.execute(project, options)
    if outcome is not Outcome.BLESSED:
        return outcome
    run = metadata.latest_run_with(opening.open_store(project), ['Tuner'], project.name)
    assert run is not None
    record = node_records.tuning_record(next(node for node in run.nodes if node.node == 'Tuner'))
    show(roomy_console(sys.stdout), record, project.config)
    return outcome


def show(console: rich.console.Console, record: Mapping[str, Any], config: Config) -> None:
    """Prints what the heads say, all trainings, which one is taken and what to write.

    Args:
        record: as `components.tuning.record.tuning_record` makes it.
    """
    console.print('\n[bold]heads on the cached features[/bold] of the frozen base')
    console.print(heads_table(record['heads']))
    for line in record['found']:
        say(console, f'  {line}')
    console.print(f'\n[bold]trainings[/bold] of at most {config.tuning.epochs} epochs, best first')
    console.print(trials_table(record))
    for line in conclusions(record):
        console.print(line, highlight=False, soft_wrap=True)
    say(console, ('\nin thawline.yaml:', 'bold'))
    console.print(yaml_lines(record), highlight=False, markup=False, soft_wrap=True)
    if record['chosen']:
        say(console, 'or, for whatever is tuned last:')
        say(console, 'training:\n  tuned: true')


def heads_table(heads: Sequence[Mapping[str, Any]]) -> rich.table.Table:
    """Heads, the present one first."""
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
            ('  ' if number else '● ') + head['features'],
            head['class_weights'],
            percentages.percent(head['accuracy']),
            percentages.percent(head['recall']),
            f'{head["log_loss"]:.3f}',
            f'{head["seconds"]:.1f}',
        )
    return table


def trials_table(record: Mapping[str, Any]) -> rich.table.Table:
    """Trainings, lowest log loss first; ● is of the present settings, ★ what is taken."""
    trials = record['trials']
    names = [name for name in _TITLES if name in trials[0]['values']]
    numbers = ('val accuracy', 'log loss', 'seconds')
    table = rich.table.Table(
        'trial',
        *(_TITLES[name] for name in names),
        *(rich.table.Column(title, justify='right') for title in numbers),
        'kept',
        box=rich.box.SIMPLE,
        pad_edge=False,
    )
    worst = float('inf')
    present = trials[0]['values']

    def loss(number: int) -> float:
        found = trials[number]['log_loss']
        return worst if found is None else float(found)

    for number in sorted(range(len(trials)), key=loss):
        trial = trials[number]
        taken = number == record['chosen']
        marks = ('★' if taken else ' ') + ('●' if number == 0 else ' ')
        cells = [f'{marks} {number + 1}']
        for name in names:
            value = trial['values'][name]
            text = f'{value:g}' if isinstance(value, float) else str(value)
            cells.append(text if number == 0 or value != present[name] else f'[dim]{text}[/dim]')
        if trial['accuracy'] is None:
            cells += ['diverged', '', '', '']
        else:
            cells += [
                percentages.percent(trial['accuracy']),
                f'{trial["log_loss"]:.3f}',
                duration(trial['seconds']).removesuffix(' s'),
                trial['kept'].replace('_', '-'),
            ]
        table.add_row(*cells, style='bold green' if taken else None)
    return table


def conclusions(record: Mapping[str, Any]) -> list[rich.text.Text]:
    """What is taken and how sure that is, a line each."""
    error, n = record['standard_error'], record['val_images']
    text = rich.text.Text.assemble
    chosen = record['chosen']
    name = 'the present settings' if chosen == 0 else f'trial {chosen + 1}'
    verb = 'keep' if chosen == 0 else 'take'
    lines = [
        text(f'● present settings, ★ taken; {n:,} val images'),
        text((f'{verb} ', 'bold'), (name, 'bold green'), f': {record["why"]}'),
        text(
            f'one standard error of an accuracy on {n:,} images is {100 * error:.1f} points; '
            'differences within it are noise, and another seed would change them too'
        ),
    ]
    if record['left_out']:
        many = 'training' if record['left_out'] == 1 else 'trainings'
        lines.append(text(f'left out for the budget: {record["left_out"]} {many}'))
    if record['mode'] == 'probe':
        lines.append(text('training.mode is probe: depth, rates and augmentation were not tried'))
    return lines


def yaml_lines(record: Mapping[str, Any]) -> str:
    """The lines of a project file that differ from the present ones, or that none do."""
    trials = record['trials']
    present, taken = trials[0]['values'], trials[record['chosen']]['values']
    wanted: dict[str, Any] = {}
    if record['features'] != record['heads'][0]['features']:
        wanted['embedding'] = {'features': record['features']}
    for name, value in taken.items():
        if value != present[name]:
            section = wanted.setdefault('training', {})
            *path, key = name.split('.')
            for part in path:
                section = section.setdefault(part, {})
            section[key] = value
    if not wanted:
        return '# nothing to change'
    return yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True, width=1000).rstrip()
