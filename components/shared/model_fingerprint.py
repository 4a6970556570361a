"""The files of a model, local or remote: names, contents and fingerprints.

A digest is over the paths, sizes and SHA-256 of all files; folders that hold no file do not count.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from thawline.components.shared import version_folders
from thawline.components.shared.errors import NotFound, from_os_error

MARKER = version_folders.MODEL_FILE  # without it no loader takes the folder for a model
PIECE = 1 << 20

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
class Fingerprint:
    """Digest and size in bytes of all files."""

    digest: str
    size: int


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
        return open(self.path / path, 'rb')


def fingerprint(source: ModelFiles, advance: Advance = ignore_progress) -> Fingerprint:
    """Reads all files.

    Args:
        source: of the files.
        advance: called with the number of bytes after each read.

    Raises:
        UserError: they are not a SavedModel, or cannot be read.
    """
    names = source.files()
    if MARKER not in names:
        raise NotFound(f'{source.name} is not a SavedModel: it has no {MARKER}')
    total = Hasher()
    try:
        for name in names:
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
    """Digests files one after the other, in the order of their paths."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def file(self, name: str, content: Iterator[bytes]) -> Iterator[bytes]:
        """Passes the content of a file on and adds it to the digest."""
        of_file, size = hashlib.sha256(), 0
        for piece in content:
            of_file.update(piece)
            size += len(piece)
            yield piece
        self._size += size
        self._lines.append(f'{name}\0{size}\0{of_file.hexdigest()}\n')

    def tree(self) -> Fingerprint:
        """The fingerprint of all files so far."""
        text = ''.join(sorted(self._lines)).encode('utf-8', 'surrogateescape')
        return Fingerprint(hashlib.sha256(text).hexdigest(), self._size)
