"""What several workers of pytest-xdist need, made by the first one that asks for it."""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
from collections.abc import Iterator

_COMPLETE = 'complete'


@contextlib.contextmanager
def making(folder: pathlib.Path) -> Iterator[bool]:
    """Whether the folder is to be filled now; whoever else asks waits until it is.

    A folder in which making failed is to be filled again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_first = not (folder / _COMPLETE).exists()
        yield is_first
        if is_first:
            (folder / _COMPLETE).touch()
