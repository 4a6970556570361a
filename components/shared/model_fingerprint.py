"""The files of a model, local or remote: names, contents, fingerprints, and how they differ.

A digest is over the paths, sizes and SHA-256 of all files; folders that hold no file do not count.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from thawline.components.shared import version_folders
from thawline.components.shared.errors import NotFound, from_os_error
from thawline.components.shared.records import Record
from thawline.components.shared.text import abbreviate

MARKER = version_folders.MODEL_FILE  # without it no loader takes the folder for a model
PIECE = 1 << 20
_NAMED = 5  # files in a message

Advance = Callable[[int], None]


def ignore_progress(count: int) -> None:
    """Shows no progress."""


class ModelFiles(Protocol):
    """The files of one model."""

    @property
    def name(self) -> str:
        """Where they are."""

    def files(self) -> list[str]:
        """Their relative paths, with '/', sorted."""

    def open(self, path: str) -> BinaryIO:
        """Opens one of them for reading."""


@dataclasses.dataclass(frozen=True)
class FileDigest:
    """Bytes of one file, and their SHA-256."""

    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Fingerprint(Record):
    """Every file of a model, by path; also as a record of what the files were."""

    FILE = 'model_files.json'
    FORMAT = 1

    files: dict[str, FileDigest]

    @property
    def digest(self) -> str:
        """Over all files."""
        lines = sorted(f'{name}\0{f.size}\0{f.sha256}\n' for name, f in self.files.items())
        return hashlib.sha256(''.join(lines).encode('utf-8', 'surrogateescape')).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


@dataclasses.dataclass(frozen=True)
class FileChanges:
    """Paths of files that differ from what was recorded of them."""

    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]

    @classmethod
    def between(cls, recorded: Fingerprint, present: Fingerprint) -> FileChanges:
        """The changes from the one to the other."""
        before, now = recorded.files, present.files
        return cls(
            tuple(sorted(name for name in before.keys() & now if before[name] != now[name])),
            tuple(sorted(before.keys() - now.keys())),
            tuple(sorted(now.keys() - before.keys())),
        )

    def __str__(self) -> str:
        """'changed: a, b; missing: c'; empty where nothing differs."""
        kinds = dataclasses.asdict(self).items()
        text = '; '.join(f'{kind}: {abbreviate(names, _NAMED)}' for kind, names in kinds if names)
        return text.encode('utf-8', 'backslashreplace').decode()  # names are bytes to the system


@dataclasses.dataclass(frozen=True)
class LocalFiles:
    """Files on the local disk."""

    path: pathlib.Path

    @property
    def name(self) -> str:
        return str(self.path)

    def files(self) -> list[str]:
        return sorted(
            str(pathlib.Path(folder, name).relative_to(self.path).as_posix())
            for folder, _, names in os.walk(self.path)
            for name in names
        )

    def folders(self) -> list[str]:
        """Relative paths of all folders, also empty ones, parents first."""
        return sorted(
            pathlib.Path(folder, name).relative_to(self.path).as_posix()
            for folder, names, _ in os.walk(self.path)
            for name in names
        )

    def open(self, path: str) -> BinaryIO:
        if (self.path / path).is_fifo():  # its reader would wait for a writer
            raise OSError(errno.EINVAL, f'{path} is not a file')
        return open(self.path / path, 'rb')


def fingerprint(source: ModelFiles, advance: Advance = ignore_progress) -> Fingerprint:
    """Reads all files.

    Args:
        source: of the files.
        advance: called with the number of bytes after each read.

    Raises:
        UserError: they are not a SavedModel, or cannot be read.
    """
    present = read(source, advance)
    if MARKER not in present.files:
        raise NotFound(f'{source.name} is not a SavedModel: it has no {MARKER}')
    return present


def read(source: ModelFiles, advance: Advance = ignore_progress) -> Fingerprint:
    """As `fingerprint`, of whatever is there: maybe no SavedModel, maybe nothing."""
    total = Hasher()
    try:
        for name in source.files():
            with source.open(name) as file:
                for piece in total.file(name, chunks(file)):
                    advance(len(piece))
    except OSError as error:
        raise from_os_error(error, f'{source.name} cannot be read') from error
    return total.tree()


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """The content of a file, piece by piece."""
    while piece := file.read(PIECE):
        yield piece


class Hasher:
    """Digests files one after the other."""

    def __init__(self) -> None:
        self._files: dict[str, FileDigest] = {}

    def file(self, name: str, content: Iterator[bytes]) -> Iterator[bytes]:
        """Passes the content of a file on and adds it to the digest."""
        of_file, size = hashlib.sha256(), 0
        for piece in content:
            of_file.update(piece)
            size += len(piece)
            yield piece
        self._files[name] = FileDigest(size, of_file.hexdigest())

    def tree(self) -> Fingerprint:
        """The fingerprint of all files so far."""
        return Fingerprint(dict(self._files))
