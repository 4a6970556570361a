"""`thawline prune`: removes old versions from where models are served."""

from __future__ import annotations

import rich.console

from thawline.pipeline.commands import registry_console
from thawline.pipeline.config.project import Project
from thawline.pipeline.registry import access, retention
from thawline.pipeline.registry.registry import Registry
from thawline.pipeline.registry.retention import Leaving


def execute(project: Project, dry_run: bool, unknown: bool, yes: bool) -> int:
    """Removes all but the newest `serving.keep` versions of each stage.

    Args:
        project: whose stages they are.
        dry_run: whether only to tell what would go.
        unknown: whether versions that the registry does not know go too.
        yes: whether to go ahead without a question.

    Returns:
        The exit code: 0, or `showing.DECLINED`.

    Raises:
        ConfigError: another command is at work, or a version cannot be removed.
    """
    console = registry_console.console()

    def say(line: str) -> None:
        registry_console.say(console, line)

    registry = access.to_look(project, say)
    found = _leaving(registry, project.config.serving.keep, unknown)
    _tell(console, registry, found, project.config.serving.keep)
    if dry_run or not any(one.versions for one in found):
        return 0
    if not registry_console.agreed(console, 'remove them?', yes):
        return registry_console.DECLINED
    with access.to_change(project, 'prune', say) as registry:
        shown = {one.stage: set(one.versions) for one in found}
        for one in _leaving(registry, project.config.serving.keep, unknown):
            # Only what was shown goes, of what may still go.
            going = tuple(version for version in one.versions if version in shown[one.stage])
            if going:
                done = retention.prune(registry, Leaving(one.stage, going, one.size, ()))
                say(f'✓ removed {len(done.removed)} versions of {one.stage}')
    return 0


def _leaving(registry: Registry, keep: int, unknown: bool) -> list[Leaving]:
    return [retention.leaving(registry, stage, keep, unknown) for stage in registry.places]


def _tell(
    console: rich.console.Console, registry: Registry, found: list[Leaving], keep: int
) -> None:
    for one in found:
        owners, place = registry.owners(one.stage), registry.places[one.stage]
        for version in one.versions:
            model = f'model {owners[version]}' if version in owners else 'not known'
            registry_console.say(console, f'goes   {one.stage} version {version} ({model})')
        for line in one.kept:
            registry_console.say(console, f'stays  {one.stage}: {line}')
        there = len(place.versions())
        size = f', {registry_console.megabytes(one.size)}' if one.versions else ''
        registry_console.say(
            console,
            f'{one.stage}: {len(one.versions)} of {there} versions in {place.name} go{size}; the '
            f'newest {keep} stay',
        )
