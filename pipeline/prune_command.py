"""`thawline prune`: removes old versions from where models are served."""

from __future__ import annotations

import rich.console

from pipeline.config import Config
from pipeline.paths import Project
from pipeline.registry import opened, pruning, showing
from pipeline.registry.pruning import Leaving
from pipeline.registry.state import Registry


def execute(config: Config, project: Project, dry_run: bool, unknown: bool, yes: bool) -> int:
    """Removes all but the newest `serving.keep` versions of each stage.

    Args:
        config, project: whose stages they are.
        dry_run: whether only to tell what would go.
        unknown: whether versions that the registry does not know go too.
        yes: whether to go ahead without a question.

    Returns:
        The exit code: 0, or `showing.DECLINED`.

    Raises:
        ConfigError: another command is at work, or a version cannot be removed.
    """
    console = showing.console()

    def say(line: str) -> None:
        showing.say(console, line)

    registry = opened.to_look(config, project, say)
    found = _leaving(registry, config.serving.keep, unknown)
    _tell(console, registry, found, config.serving.keep)
    if dry_run or not any(one.versions for one in found):
        return 0
    if not showing.agreed(console, 'remove them?', yes):
        return showing.DECLINED
    with opened.to_change(config, project, 'prune', say) as registry:
        shown = {one.stage: set(one.versions) for one in found}
        for one in _leaving(registry, config.serving.keep, unknown):
            # Only what was shown goes, of what may still go.
            going = tuple(version for version in one.versions if version in shown[one.stage])
            if going:
                done = pruning.prune(registry, Leaving(one.stage, going, one.size, ()))
                say(f'✓ removed {len(done.removed)} versions of {one.stage}')
    return 0


def _leaving(registry: Registry, keep: int, unknown: bool) -> list[Leaving]:
    return [pruning.leaving(registry, stage, keep, unknown) for stage in registry.places]


def _tell(
    console: rich.console.Console, registry: Registry, found: list[Leaving], keep: int
) -> None:
    for one in found:
        owners, place = registry.owners(one.stage), registry.places[one.stage]
        for version in one.versions:
            model = f'model {owners[version]}' if version in owners else 'not known'
            showing.say(console, f'goes   {one.stage} version {version} ({model})')
        for line in one.kept:
            showing.say(console, f'stays  {one.stage}: {line}')
        there = len(place.versions())
        size = f', {showing.megabytes(one.size)}' if one.versions else ''
        showing.say(
            console,
            f'{one.stage}: {len(one.versions)} of {there} versions in {place.name} go{size}; the '
            f'newest {keep} stay',
        )
