"""`thawline prune`: removes old versions from where models are served, and the content store."""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from thawline.pipeline.commands import registry_console
from thawline.pipeline.commands.arguments import project_argument, yes_option
from thawline.pipeline.terminal.console import say, wide_console

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.registry.registry import Registry
    from thawline.pipeline.registry.retention import PruneCandidates


@click.command()
@project_argument
@click.option('--dry-run', is_flag=True, help='Only list what would be deleted.')
@click.option('--unknown', is_flag=True, help='Also delete versions unknown to the registry.')
@click.option('--store', is_flag=True, help='Delete the content store, and no versions.')
@yes_option
def command(project: Project, dry_run: bool, unknown: bool, store: bool, yes: bool) -> None:
    """Delete old versions; the newest `serving.keep` of each stage stay."""
    from thawline.pipeline.registry import access, retention

    if store:
        _prune_store(project, dry_run, yes)
        return
    console, registry = registry_console.open_registry(project)
    show = functools.partial(say, console)
    keep = project.config.serving.keep
    stages = _old_versions(registry, keep, unknown)
    _print(show, registry, stages, keep)
    if dry_run or not any(stage.versions for stage in stages):
        return
    if not registry_console.confirm(console, 'delete them?', yes):
        sys.exit(registry_console.DECLINED)
    with access.open_to_change(project, 'prune', show) as registry:
        listed = {stage.stage: set(stage.versions) for stage in stages}
        for stage in _old_versions(registry, keep, unknown):
            # Only what the user confirmed, and what may still go.
            versions = tuple(v for v in stage.versions if v in listed[stage.stage])
            if versions:
                leaving = retention.PruneCandidates(stage.stage, versions, stage.size, ())
                removed = retention.prune(registry, leaving).removed
                show(f'✓ deleted {len(removed)} versions of {stage.stage}')


def _prune_store(project: Project, dry_run: bool, yes: bool) -> None:
    """Asks, and deletes what runs keep by content: later ones compute it anew."""
    from thawline.components.shared import content_store

    console, store = wide_console(sys.stdout), project.content_store
    size = content_store.size_of(store.folder)
    for folder in content_store.namespaces(store.folder):
        part = registry_console.megabytes(content_store.size_of(folder))
        say(console, f'delete  {folder.name} ({part})')
    limit = registry_console.megabytes(store.limit)
    say(console, f'store: {registry_console.megabytes(size)} of at most {limit} in {store.folder}')
    if dry_run or not size:
        return
    if not registry_console.confirm(console, 'delete it?', yes):
        sys.exit(registry_console.DECLINED)
    shutil.rmtree(store.folder, ignore_errors=True)
    say(console, '✓ deleted; the next run computes it anew')


def _old_versions(registry: Registry, keep: int, unknown: bool) -> list[PruneCandidates]:
    from thawline.pipeline.registry import retention

    return [
        retention.find_candidates(registry, stage, keep, unknown) for stage in registry.destinations
    ]


def _print(
    show: Callable[[str], None], registry: Registry, stages: Sequence[PruneCandidates], keep: int
) -> None:
    for stage in stages:
        owners, place = registry.owners(stage.stage), registry.destinations[stage.stage]
        for version in stage.versions:
            model = f'model {owners[version]}' if version in owners else 'unknown'
            show(f'delete  {stage.stage} version {version} ({model})')
        for line in stage.kept:
            show(f'keep    {stage.stage}: {line}')
        size = f' ({registry_console.megabytes(stage.size)})' if stage.versions else ''
        show(
            f'{stage.stage}: delete {len(stage.versions)} of {len(place.versions())} versions in '
            f'{place.name}{size}; the newest {keep} stay'
        )
