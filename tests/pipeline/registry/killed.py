"""One command of the registry, in a process that a test may kill."""

from __future__ import annotations

import pathlib
from typing import Any

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.commands import promote, prune, rollback
from thawline.pipeline.config import loading
from thawline.pipeline.registry import comparing, ledger  # noqa: F401  imported before the fork

STARTED, BEGUN, ENDED = 'started', 'begun', 'ended'


def act(home: str, kind: str, wanted: str, tell: Any) -> None:
    """Promotes `wanted`, rolls back or prunes.

    `tell` is sent STARTED, BEGUN once the intent is in the metadata, and ENDED with what was
    refused, if anything. After BEGUN it waits for leave to go on, so that a test can kill it there
    however fast or busy the machine is.
    """
    write = ledger.begin

    def begin(*intent: Any) -> int:
        written = write(*intent)
        tell.send((BEGUN, ''))
        tell.recv()
        return written

    ledger.begin = begin
    project = loading.load_project(pathlib.Path(home))
    tell.send((STARTED, ''))
    refused = ''
    try:
        if kind == 'promote':
            promote.execute(project, wanted, 'production', '', False, True)
        elif kind == 'rollback':
            rollback.execute(project, '', True)
        else:
            prune.execute(project, False, False, True)
    except ConfigError as error:
        refused = str(error)
    tell.send((ENDED, refused))
