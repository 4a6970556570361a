"""Opens the registry for a command, after recovery from interrupted changes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from thawline.components.shared.errors import Busy
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.registry import lock, recovery
from thawline.pipeline.registry import registry as state
from thawline.pipeline.registry.registry import Registry

Say = Callable[[str], None]


def open_to_read(project: Project, say: Say) -> Registry:
    """The registry for a command that changes nothing; `say` reports recoveries, or who is busy.

    Raises:
        NotFound: nothing ran yet.
    """
    registry = state.read(project)
    if not registry.unfinished:
        return registry
    try:
        with open_to_change(project, 'recovery', say) as registry:
            return registry
    except Busy as error:
        say(f'note: {error}')
        return registry


@contextlib.contextmanager
def open_to_change(project: Project, command: str, say: Say) -> Iterator[Registry]:
    """The registry for a command that changes it; holds the lock for the block.

    Raises:
        Busy: another command is changing the registry, here or on a machine that shares the
            metadata.
        Unavailable: a destination or the metadata cannot be reached.
    """
    opening.check_ownership(project)
    with lock.hold(project.registry_lock, command, opening.promotion_lock(project)):
        registry = state.read(project)
        lines = recovery.recover(registry)
        for line in lines:
            say(line)
        yield state.read(project) if lines else registry
