"""`thawline models`: every model of a project, from the metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import rich.box
import rich.table
import rich.text

from thawline.pipeline.commands import registry_console
from thawline.pipeline.commands.arguments import project_argument
from thawline.pipeline.terminal.console import WIDE, say

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.registry.models import Model
    from thawline.pipeline.registry.registry import Registry


@click.command()
@project_argument
@click.option(
    '--last', 'count', metavar='N', default=20, show_default=True, help='Number of models to list.'
)
def command(project: Project, count: int) -> None:
    """List models with their data, accuracy and stage."""
    console, registry = registry_console.open_registry(project)
    if not registry.models:
        say(console, 'no model yet; train one with: thawline run')
        return
    console.print(table(registry, count, console.width >= WIDE))
    registry_console.print_disagreements(console, registry)


_WIDE = (
    'id',
    'run, when',
    'data, base',
    'val accuracy',
    'test accuracy',
    'blessed',
    'stage',
    'exports',
)
_NARROW = ('id', 'run, when, data, base', 'accuracy', 'blessed, stage, exports')


def table(registry: Registry, count: int, wide: bool) -> rich.table.Table:
    from thawline.pipeline.registry import models

    table = rich.table.Table(
        *(
            rich.table.Column(title, no_wrap='run' in title or 'accuracy' in title)
            for title in (_WIDE if wide else _NARROW)
        ),
        box=rich.box.SIMPLE,
        pad_edge=wide,
    )
    stages = _stages(registry)
    for model in reversed(registry.models[-count:]):
        data = models.training_data(registry.lineage, model)
        images = f'{data.images.written:,} images, {data.images.classes} classes' if data else '-'
        cells = [
            str(model.id),
            f'{model.run}\n{model.made:%Y-%m-%d %H:%M}',
            f'{images}\n{models.base_name(model)}',
            *(_accuracy(model, split).replace(' (', '\n(') for split in ('val', 'test')),
            _blessed(registry, model),
            '\n'.join(stages.get(model.id, ['-'])),
            '\n'.join(['SavedModel', *model.formats]) if model.exported else '-',
        ]
        if not wide:
            blessed = 'blessed' if cells[5] == 'yes' else cells[5]
            served = [cell for cell in (blessed, *cells[6:]) if cell != '-']
            accuracies = f'val  {_accuracy(model, "val")}\ntest {_accuracy(model, "test")}'
            cells = [cells[0], '\n'.join(cells[1:3]), accuracies, '\n'.join(served)]
        table.add_row(*map(rich.text.Text, cells))
    return table


def _accuracy(model: Model, split: str) -> str:
    from thawline.pipeline.metadata import runs

    return (model.evaluation and runs.accuracy(model.evaluation, split)) or '-'


def _blessed(registry: Registry, model: Model) -> str:
    from thawline.pipeline.registry import promotion_checks

    objections = [objection.short for objection in promotion_checks.objections(model)]
    forced = any(
        move.forced and move.model == model.id and move.state == 'complete'
        for move in registry.deployments
    )
    return (', '.join(objections) or 'yes') + ('\nforced' if forced else '')


def _stages(registry: Registry) -> dict[int, list[str]]:
    """What each model is served as, by what lies in the folders, or was."""
    from thawline.pipeline.registry import consistency
    from thawline.pipeline.registry.ledger import PRODUCTION, STAGES

    stages: dict[int, list[str]] = {}
    for stage in STAGES:
        versions, owners = consistency.versions(registry, stage), registry.owners(stage)
        if versions and versions[-1] in owners:
            stages.setdefault(owners[versions[-1]], []).append(f'{stage} {versions[-1]}')
    for move in registry.deployments:
        if (move.stage, move.state) == (PRODUCTION, 'complete'):
            lines = stages.setdefault(move.model, [])
            if not any(PRODUCTION in line for line in lines):
                lines.append(f'was in {PRODUCTION}')
    return stages
