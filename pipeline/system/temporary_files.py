"""Temporary files in a folder a process, so that those of a killed one can be removed later."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from thawline.pipeline.system.process_identity import ProcessIdentity

_PREFIX = 'thawline-'
_OWNER = 'owner.json'


def make_folder(prefix: str, parent: pathlib.Path | None) -> pathlib.Path:
    """A new folder that says which process it belongs to; `parent` None: of temporary files."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    (folder / _OWNER).write_text(ProcessIdentity.own().text, 'utf-8')
    return folder


@contextlib.contextmanager
def in_own_folder() -> Iterator[None]:
    """Has this process, and those that it starts, make temporary files in a folder of its own."""
    folder = make_folder(_PREFIX, None)
    variable, default = os.environ.get('TMPDIR'), tempfile.tempdir
    os.environ['TMPDIR'] = tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = default
        if variable is None:
            del os.environ['TMPDIR']
        else:
            os.environ['TMPDIR'] = variable
        shutil.rmtree(folder, ignore_errors=True)


def remove_orphaned() -> int:
    """Removes the folders of this user's processes that have ended; returns how many."""
    root = pathlib.Path(tempfile.gettempdir())
    while (root / _OWNER).is_file():  # the own folder, or that of the process that started this one
        root = root.parent
    return remove_orphaned_in(root, f'{_PREFIX}*')


def remove_orphaned_in(root: pathlib.Path, pattern: str) -> int:
    """The same for folders of `make_folder` in `root` whose names match."""
    removed = 0
    for owner in root.glob(f'{pattern}/{_OWNER}'):
        try:
            if owner.parent.is_symlink() or owner.stat().st_uid != os.getuid():
                continue
            identity = ProcessIdentity.read(owner.read_text('utf-8', 'replace'))
        except OSError:
            continue
        if identity is not None and identity.is_dead:
            shutil.rmtree(owner.parent, ignore_errors=True)
            removed += not owner.exists()
    return removed
