"""`thawline models`: every model of a project, from the metadata."""

from __future__ import annotations

import rich.box
import rich.table
import rich.text

from thawline.components.shared.percentages import between, percent
from thawline.pipeline.commands import registry_console
from thawline.pipeline.config.project import Project
from thawline.pipeline.registry import access, consistency, models, promotion_checks
from thawline.pipeline.registry.ledger import PRODUCTION, STAGES
from thawline.pipeline.registry.models import Model
from thawline.pipeline.registry.registry import Registry


def execute(project: Project, count: int) -> None:
    """Prints the latest `count` models, newest first, and where the folders say otherwise.

    Raises:
        ConfigError: nothing ran yet.
    """
    console = registry_console.console()
    registry = access.to_look(project, lambda line: registry_console.say(console, line))
    if not registry.models:
        registry_console.say(console, 'no model yet; train one with: thawline run')
        return
    table = rich.table.Table(
        'id',
        rich.table.Column('run, when', no_wrap=True),
        'data, base',
        rich.table.Column('val accuracy', no_wrap=True),
        rich.table.Column('test accuracy', no_wrap=True),
        'blessed',
        'stage',
        'exports',
        box=rich.box.SIMPLE,
    )
    stages = _stages(registry)
    for model in reversed(registry.models[-count:]):
        cells = (
            str(model.id),
            f'{model.run}\n{model.made:%Y-%m-%d %H:%M}',
            f'{_data(registry, model)}\n{models.base(model)}',
            _accuracy(model, 'val'),
            _accuracy(model, 'test'),
            _blessed(registry, model),
            '\n'.join(stages.get(model.id, ['-'])),
            _exports(model),
        )
        table.add_row(*(rich.text.Text(cell) for cell in cells))
    console.print(table)
    for line in consistency.disagreements(registry):
        registry_console.say(console, f'note: {line}')


def _data(registry: Registry, model: Model) -> str:
    found = models.images(registry.graph, model)
    if found is None:
        return '-'
    return f'{found.count:,} images, {found.classes} classes'


def _accuracy(model: Model, split: str) -> str:
    noted = model.evaluation.properties if model.evaluation else {}
    if f'{split}_accuracy' not in noted:
        return '-'
    share, low, high = (noted[f'{split}_{end}'] for end in ('accuracy', 'lower', 'upper'))
    return f'{percent(share)}\n{between(low, high)}'


def _blessed(registry: Registry, model: Model) -> str:
    against = [one.short for one in promotion_checks.objections(model)]
    forced = any(
        move.forced and move.model == model.id and move.state == 'complete'
        for move in registry.moves
    )
    word = ', '.join(against) or 'yes'
    return f'{word}\nforced' if forced else word


def _stages(registry: Registry) -> dict[int, list[str]]:
    """What each model is served as, by what lies in the folders, or was."""
    found: dict[int, list[str]] = {}
    for stage in STAGES:
        there, owners = consistency.versions(registry, stage), registry.owners(stage)
        if there and there[-1] in owners:
            found.setdefault(owners[there[-1]], []).append(f'{stage} {there[-1]}')
    for move in registry.moves:
        if (move.stage, move.state) == (PRODUCTION, 'complete'):
            words = found.setdefault(move.model, [])
            if not any(PRODUCTION in word for word in words):
                words.append(f'was in {PRODUCTION}')
    return found


def _exports(model: Model) -> str:
    if model.exported is None:
        return '-'
    return '\n'.join(['SavedModel', *model.formats])
