"""The folder of a model once more, without its bytes where the file system can share them."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil


def copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a folder; files are hard links where both are on one file system.

    Whoever changes a file of either folder has to put a new one in its place.

    Raises:
        FileExistsError: the target exists.
    """
    shutil.copytree(source, target, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> str:
    with contextlib.suppress(OSError):
        os.link(source, target)
        return target
    return str(shutil.copy2(source, target))
