"""`thawline history`: what was promoted, rolled back and pruned, by whom and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import rich.box
import rich.table
import rich.text

from thawline.pipeline.commands import registry_console
from thawline.pipeline.commands.arguments import project_argument
from thawline.pipeline.terminal.console import say

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.registry.ledger import Deployment, Prune


@click.command()
@project_argument
@click.option(
    '--last', 'count', metavar='N', default=20, show_default=True, help='Number of entries to list.'
)
def command(project: Project, count: int) -> None:
    """List promotions, rollbacks and prunes: when, what, who and why."""
    console, registry = registry_console.open_registry(project)
    entries: list[Deployment | Prune] = [*registry.deployments, *registry.prunes]
    if entries:
        table = rich.table.Table(
            rich.table.Column('when', no_wrap=True),
            'what',
            'stage',
            rich.table.Column('who', overflow='fold'),
            'reason',
            box=rich.box.SIMPLE,
        )
        for entry in sorted(entries, key=lambda entry: entry.id, reverse=True)[:count]:
            # As texts: a reason may look like markup.
            table.add_row(*map(rich.text.Text, _row(entry)))
        console.print(table)
    else:
        say(console, 'nothing promoted yet; start with: thawline promote MODEL')
    registry_console.print_disagreements(console, registry)


def _row(entry: Deployment | Prune) -> tuple[str, ...]:
    from thawline.pipeline.registry import ledger

    when = f'{entry.when:%Y-%m-%d %H:%M:%S}'
    state = '' if entry.state == 'complete' else f' ({entry.state}: without effect)'
    if isinstance(entry, ledger.Prune):
        removed = ', '.join(map(str, entry.removed)) or 'nothing'
        return when, f'prune of {removed}{state}', entry.stage, entry.who, ''
    what = f'{ledger.action(entry)}: model {entry.model} as version {entry.version}'
    if entry.replaced_model:
        what += f', instead of model {entry.replaced_model}'
    return when, what + state, entry.stage, entry.who, entry.reason
