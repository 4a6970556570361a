"""One command at a time changes what is served."""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib
from collections.abc import Callable, Iterator

from thawline.components.shared.errors import Busy
from thawline.pipeline.registry import person
from thawline.pipeline.system import file_locks

Lock = Callable[[str], contextlib.AbstractContextManager[None]]  # of a note on who holds it


@contextlib.contextmanager
def held(path: pathlib.Path, command: str, beyond: Lock | None = None) -> Iterator[None]:
    """Holds the lock for the time of the block; a kill releases it by itself.

    Args:
        path: of the lock file.
        command: what is done meanwhile, for whoever comes second.
        beyond: a second lock, where other machines may change the same.

    Raises:
        Busy: another process holds it; says which.
    """
    since = datetime.datetime.now().strftime('%H:%M:%S')
    note = f'thawline {command} of {person.name()} (process {os.getpid()}, since {since})'
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
