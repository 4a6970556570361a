"""One command at a time changes what is served."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import pathlib
from collections.abc import Iterator

from components.errors import ConfigError
from pipeline.registry import person


class Busy(ConfigError):
    """Another command holds the lock."""


@contextlib.contextmanager
def held(path: pathlib.Path, command: str) -> Iterator[None]:
    """Holds the lock for the time of the block; a kill releases it by itself.

    Args:
        path: of the lock file.
        command: what is done meanwhile, for whoever comes second.

    Raises:
        Busy: another process holds it; says which.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a+', encoding='utf-8') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or 'another command'
            raise Busy(
                f'{holder} is at work on the served models; nothing was changed here, try again '
                'when it has ended'
            ) from error
        since = datetime.datetime.now().strftime('%H:%M:%S')
        file.truncate(0)
        file.write(f'thawline {command} of {person.name()} (process {os.getpid()}, since {since})')
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
