"""One command of the registry, in a process that a test may kill."""

from __future__ import annotations

from typing import Any

from thawline.components.shared.errors import UserError
from thawline.pipeline.commands import promote, prune, rollback
from thawline.pipeline.registry import access, ledger, lookup, promotion, retention  # noqa: F401
from thawline.pipeline.reports import comparison_summary  # noqa: F401  all imported before the fork

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
    tell.send((STARTED, ''))
    refused = ''
    try:
        command = {'promote': promote, 'rollback': rollback, 'prune': prune}[kind].command
        arguments = [wanted] if kind == 'promote' else []
        command.main([*arguments, home, '--yes'], standalone_mode=False)
    except UserError as error:
        refused = str(error)
    tell.send((ENDED, refused))
