"""Only one command at a time changes the served models."""

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

Lock = Callable[[str], contextlib.AbstractContextManager[None]]  # takes a note on the holder


@contextlib.contextmanager
def hold(path: pathlib.Path, command: str, beyond: Lock | None = None) -> Iterator[None]:
    """Holds the lock for the block; the system releases it when the process is killed.

    Args:
        path: of the lock file.
        command: shown to other processes meanwhile.
        beyond: a second lock, where other machines may change the same models.

    Raises:
        Busy: another process holds it; says which.
    """
    since = datetime.datetime.now().strftime('%H:%M:%S')
    note = f'thawline {command} by {current_user()} (process {os.getpid()}, since {since})'
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(file_locks.lock(path, note))
            if beyond is not None:
                stack.enter_context(beyond(note))
        except file_locks.LockTaken as error:
            raise Busy(
                f'{str(error) or "another command"} is changing the served models; nothing was '
                'changed here, try again when it has finished'
            ) from error
        yield


def current_user() -> str:
    """'user@host', with the user's number where there is no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f'{user}@{socket.gethostname()}'
