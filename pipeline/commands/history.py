"""`thawline history`: what was promoted, rolled back and pruned, by whom and why."""

from __future__ import annotations

import rich.box
import rich.table
import rich.text

from thawline.pipeline.commands import registry_console
from thawline.pipeline.config.project import Project
from thawline.pipeline.registry import access, consistency, ledger
from thawline.pipeline.registry.ledger import Move, Prune


def execute(project: Project, count: int) -> None:
    """Prints the latest `count` entries, newest first, and where the folders say otherwise.

    Raises:
        ConfigError: nothing ran yet.
    """
    console = registry_console.console()
    registry = access.to_look(project, lambda line: registry_console.say(console, line))
    entries: list[Move | Prune] = sorted(
        (*registry.moves, *registry.prunes), key=lambda one: one.id, reverse=True
    )
    if not entries:
        registry_console.say(
            console, 'nothing was promoted yet; begin with: thawline promote MODEL'
        )
    else:
        table = rich.table.Table(
            rich.table.Column('when', no_wrap=True),
            'what',
            'stage',
            rich.table.Column('who', overflow='fold'),
            'reason',
            box=rich.box.SIMPLE,
        )
        for one in entries[:count]:
            # As texts: a reason may look like markup.
            table.add_row(*(rich.text.Text(cell) for cell in _row(one)))
        console.print(table)
    for line in consistency.disagreements(registry):
        registry_console.say(console, f'note: {line}')


def _row(one: Move | Prune) -> tuple[str, ...]:
    when = f'{one.when:%Y-%m-%d %H:%M:%S}'
    state = '' if one.state == 'complete' else f' ({one.state}: nothing came of it)'
    if isinstance(one, Prune):
        gone = ', '.join(map(str, one.removed)) or 'nothing'
        return when, f'prune of {gone}{state}', one.stage, one.who, ''
    what = f'{ledger.action(one)}: model {one.model} as version {one.version}'
    if one.replaced_model:
        what += f', instead of model {one.replaced_model}'
    return when, what + state, one.stage, one.who, one.reason
