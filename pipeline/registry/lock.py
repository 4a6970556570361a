"""One command at a time changes what is served."""

from __future__ import annotations

import contextlib
import datetime
import getpass
import os
import pathlib
import socket
from collections.abc import Callable, Iterator

from thawline.components.shared.errors import Busy
from thawline.pipeline.system import file_locks

Lock = Callable[[str], contextlib.AbstractContextManager[None]]  # of a note on who holds it


@contextlib.contextmanager
def hold(path: pathlib.Path, command: str, beyond: Lock | None = None) -> Iterator[None]:
    """Holds the lock for the time of the block; a kill releases it by itself.

    Args:
        path: of the lock file.
        command: what is done meanwhile, for whoever comes second.
        beyond: a second lock, where other machines may change the same.

    Raises:
        Busy: another process holds it; says which.
    """
    since = datetime.datetime.now().strftime('%H:%M:%S')
    note = f'thawline {command} of {current_user()} (process {os.getpid()}, since {since})'
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(file_locks.lock(path, note))
            if beyond is not None:
                stack.enter_context(beyond(note))
        except file_locks.LockTaken as error:
            raise Busy(
                f'{str(error) or "another command"} is at work on the served models; nothing was '
                'changed here, try again when it has ended'
            ) from error
        yield


def current_user() -> str:
    """'user@host'; where the user has no name, the number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f'{user}@{socket.gethostname()}'
