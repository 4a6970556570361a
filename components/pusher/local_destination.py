"""A folder from which servers load versions of a model; see `shared.version_folders`.

A version is prepared under a name that is no number, which servers ignore, and appears by one
rename, when it is complete and on disk.
"""

from __future__ import annotations

import errno
import os
import pathlib
import shutil

from thawline.components.shared import model_fingerprint
from thawline.components.shared.errors import UserError, from_os_error
from thawline.components.shared.model_fingerprint import (
    Advance,
    Fingerprint,
    LocalFiles,
    ModelFiles,
)
from thawline.components.shared.version_folders import complete_versions

INCOMING = '.incoming-'  # begins the names of folders in which versions are prepared


class LocalDestination:
    """A folder on this machine: versions appear and disappear by renaming, which is atomic."""

    renames = True

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        return str(self.folder)

    def versions(self) -> list[int]:
        return local_versions(self.folder)

    def source(self, version: int) -> LocalFiles:
        return LocalFiles(self.folder / str(version))

    def prepare(
        self, source: ModelFiles, version: int, incoming: str, advance: Advance
    ) -> Fingerprint:
        target = self.folder / incoming
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            target.mkdir()
            return _copy(source, target, advance)
        except OSError as error:
            raise _cannot('copied to', target, error) from error

    def prepared(self, version: int, incoming: str) -> LocalFiles:
        return LocalFiles(self.folder / incoming)

    def finish(self, source: ModelFiles, version: int, incoming: str) -> None:
        target = self.folder / str(version)
        try:
            os.rename(self.folder / incoming, target)
        except OSError as error:
            raise _cannot('moved to', target, error) from error
        _flush_folder(self.folder)

    def discard(self, version: int, incoming: str) -> bool:
        # An empty or unrelated name must never lead to a removal.
        exists = incoming.startswith(INCOMING) and (self.folder / incoming).is_dir()
        if exists:
            shutil.rmtree(self.folder / incoming)
        return exists

    def remove(self, version: int, hidden: str) -> None:
        target = self.folder / _hidden(version, hidden)
        try:
            os.rename(self.folder / str(version), target)
            _flush_folder(self.folder)
            shutil.rmtree(target)
        except OSError as error:
            raise _cannot('removed from', self.folder, error) from error

    def sweep(self, version: int, hidden: str) -> None:
        shutil.rmtree(self.folder / _hidden(version, hidden), ignore_errors=True)


def local_versions(folder: pathlib.Path) -> list[int]:
    """All versions in a folder of this machine, lowest first."""
    # Versions are named by their number: a folder such as 007 is not ours.
    return sorted(n for n, path in complete_versions(folder).items() if path.name == str(n))


def _hidden(version: int, hidden: str) -> str:
    return f'.pruned-{version}-{hidden}'


def _copy(source: ModelFiles, target: pathlib.Path, advance: Advance) -> Fingerprint:
    """Copies all files and flushes them to disk."""
    for name in source.folders() if isinstance(source, LocalFiles) else ():
        (target / name).mkdir()
    total = model_fingerprint.Hasher()
    for name in source.files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        with source.open(name) as file, open(target / name, 'xb') as copy:
            for piece in total.file(name, model_fingerprint.chunks(file)):
                copy.write(piece)
                advance(len(piece))
            copy.flush()
            os.fsync(copy.fileno())
    for folder, _, _ in os.walk(target, topdown=False):
        _flush_folder(pathlib.Path(folder))
    return total.tree()


def _flush_folder(folder: pathlib.Path) -> None:
    """Flushes the entries of a folder to disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot(what: str, target: pathlib.Path, error: OSError) -> UserError:
    hint = (
        '; free disk space, for example with: thawline prune' if error.errno == errno.ENOSPC else ''
    )
    return from_os_error(error, f'the model cannot be {what} {target}', hint=hint)
