"""The versions in a folder of TensorFlow Serving's layout: one folder a version, named by a number.

A version exists once its `saved_model.pb` does: writers rename a complete version into place or,
where renaming is not possible, write that file last.
"""

from __future__ import annotations

import os
import pathlib
import re

MODEL_FILE = 'saved_model.pb'
_NUMBER = re.compile(r'[0-9]{1,19}')
_MOST = 2**63 - 1  # versions are int64 in TensorFlow Serving


def version_number(name: str) -> int | None:
    """The version of a folder of this name; None if it is not the name of a version."""
    if not _NUMBER.fullmatch(name) or int(name) > _MOST:
        return None
    return int(name)


def is_model(folder: pathlib.Path) -> bool:
    """Whether the folder is a SavedModel itself."""
    return (folder / MODEL_FILE).is_file()


def complete_versions(base: pathlib.Path) -> dict[int, pathlib.Path]:
    """The complete versions in `base`, the highest first; none if there is no such folder."""
    try:
        names = os.listdir(base)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    folders = {version_number(name): base / name for name in sorted(names)}
    numbered = {version: path for version, path in folders.items() if version is not None}
    return {version: numbered[version] for version in sorted(numbered, reverse=True)
            if is_model(numbered[version])}  # fmt: skip
