"""Locks between processes, as files. A kill releases them by itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import TextIO

from thawline.components.shared import files


class LockTaken(Exception):
    """Another process holds the lock; the text is the note that it left."""


@contextlib.contextmanager
def lock(
    path: pathlib.Path,
    note: str,
    *,
    shared: bool = False,
    wait: bool = False,
    remove: bool = False,
    busy: Callable[[str], Exception] | None = None,
) -> Iterator[None]:
    """Holds a lock for the time of the block.

    Args:
        path: of the lock file.
        note: who holds it, for whoever comes second.
        shared: beside others that share it; nobody then holds it alone.
        wait: until it is free.
        remove: the file in the end, where there would be many.
        busy: makes the error to raise in place of `LockTaken`, from the holder's note.

    Raises:
        LockTaken: it is not free.
    """
    try:
        with files.write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = _acquire(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, wait)
    except LockTaken as error:
        if busy is None:
            raise
        raise busy(str(error)) from error
    try:
        file.truncate(0)
        file.write(note)
        file.flush()
        yield
    finally:
        if remove:
            path.unlink(missing_ok=True)
        elif not shared:  # else the note of another one that is still there
            file.truncate(0)
        file.close()


def _acquire(path: pathlib.Path, kind: int, wait: bool) -> TextIO:
    while True:
        file = path.open('a+', encoding='utf-8')
        try:
            fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
            # The holder before may have removed the file: the lock is then on no file at all.
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except BlockingIOError as error:
            file.seek(0)
            note = file.read().strip()
            file.close()
            raise LockTaken(note) from error
        except FileNotFoundError:
            pass  # between the two looks at it
        except BaseException:
            file.close()
            raise
        file.close()
