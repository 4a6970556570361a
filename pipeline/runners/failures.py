"""Errors of nodes. Needs no TFX."""

from __future__ import annotations

from thawline.components.shared.errors import Busy, UserError


class NodeFailed(Exception):
    """A node did not complete; the cause, if any, is chained."""

    verb = 'failed'

    def __init__(self, node: str, why: str) -> None:
        super().__init__(f'{node} {self.verb}: {why}')
        self.node = node


class InputsMissing(NodeFailed, UserError):
    """A node did not run: its inputs are missing."""

    verb = 'did not run'


class AlreadyRunning(NodeFailed, Busy):
    """Another process is running the node or the whole project."""

    verb = 'did not run'
