"""How a node may end that does not end well. Needs no TFX."""

from __future__ import annotations

from thawline.components.shared.errors import Busy, UserError


class NodeFailed(Exception):
    """A node did not complete; the cause, where there is one, is chained."""

    verb = 'failed'

    def __init__(self, node: str, why: str) -> None:
        super().__init__(f'{node} {self.verb}: {why}')
        self.node = node


class InputsMissing(NodeFailed, UserError):
    """A node could not be run: what it reads is not there."""

    verb = 'was not run'


class AlreadyRunning(NodeFailed, Busy):
    """Another process runs the node, or the whole project."""

    verb = 'was not run'
