"""`thawline runs`: past runs as a table, from the metadata alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import rich.box
import rich.table

from thawline.components.shared import node_names, property_names
from thawline.pipeline.commands.arguments import project_argument
from thawline.pipeline.terminal.console import WIDE, say, wide_console

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.metadata.runs import Run


@click.command()
@project_argument
@click.option(
    '--last', 'count', metavar='N', default=20, show_default=True, help='Number of runs to list.'
)
def command(project: Project, count: int) -> None:
    """List past runs and how they ended."""
    from thawline.pipeline.metadata import runs
    from thawline.pipeline.metadata.stores import opening

    console = wide_console(sys.stdout)
    store = opening.find_store(project)
    latest = runs.read_runs(store, project.name)[-count:] if store else []
    if latest:
        console.print(table(latest, console.width >= WIDE))
    else:
        say(console, f'no run yet in {project.output}; start one with: thawline run')


def table(latest: Sequence[Run], wide: bool = True) -> rich.table.Table:
    """Runs, newest first; in a narrow terminal both accuracies share a column."""
    accuracies = ('val accuracy', 'test accuracy') if wide else ('accuracy',)
    rows = rich.table.Table(
        rich.table.Column('run', no_wrap=True),
        'cached',
        *(rich.table.Column(title, no_wrap=True) for title in accuracies),
        rich.table.Column('outcome', overflow='fold'),
        box=rich.box.SIMPLE,
        pad_edge=wide,
    )
    for run in reversed(latest):
        cached = sum(node.state == 'cached' for node in run.nodes)
        val, test = accuracy(run, 'val'), accuracy(run, 'test')
        cells = (val, test) if wide else (f'val  {val}\ntest {test}',)
        rows.add_row(run.id, f'{cached} of {len(run.nodes)}', *cells, outcome(run))
    return rows


def accuracy(run: Run, split: str) -> str:
    """Accuracy on a split with its interval, or a dash."""
    from thawline.pipeline.metadata import runs

    evaluation = run.output(node_names.EVALUATOR, 'evaluation')
    return (evaluation and runs.accuracy(evaluation, split)) or '-'


def outcome(run: Run) -> str:
    """How a run ended, in a few words."""
    from thawline.pipeline.metadata import execution_states

    bad = next(
        (node for node in run.nodes if node.state not in execution_states.SUCCESS_STATES), None
    )
    if bad is not None:
        return {
            'failed': f'failed in {bad.node}',
            'canceled': f'interrupted in {bad.node}',
            execution_states.RUNNING: f'under way in {bad.node}',
            execution_states.KILLED: f'killed in {bad.node}',
            execution_states.UNFINISHED: f'under way elsewhere, or killed, in {bad.node}',
            'not run': f'ended before {bad.node}: its inputs were missing',
        }.get(bad.state, f'{bad.state} in {bad.node}')
    blessing = run.output(node_names.EVALUATOR, 'blessing')
    if blessing is None:
        return f'ended at {run.nodes[-1].node}' if run.nodes else 'nothing ran'
    if not blessing.blessed:
        return 'not blessed'
    check = run.output(node_names.SERVING_CHECK, 'infra_blessing')
    if check is not None and not check.blessed:
        return 'blessed, but refused by the serving check'
    pushed = run.output(node_names.PUSHER, 'pushed_model')
    if pushed is None or not pushed.pushed:
        return 'blessed'
    how = 'already there' if pushed.already_there else 'pushed'
    return f'blessed, {how} as {pushed.properties[property_names.PUSHED_VERSION]}'
