"""Errors of nodes. Needs no TFX."""

from __future__ import annotations

import pathlib

from thawline.components.shared import errors, files
from thawline.components.shared.errors import Busy, DataError, UserError


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


def save_unusable(error: BaseException, log: pathlib.Path) -> pathlib.Path | None:
    """Writes beside the log which files a run stopped for, each with its reason.

    Returns:
        The CSV; None where the error names no files.
    """
    cause = errors.user_error(error)
    if not isinstance(cause, DataError) or not cause.unusable:
        return None
    path = log.with_name(f'{log.stem}.unusable.csv')
    files.write_text(path, cause.unusable)
    return path
