"""A Beam file system in memory that can be written, and remembers in which order it was."""

from __future__ import annotations

import io
from typing import Any

from apache_beam.io.filesystem import BeamIOError, FileMetadata

from tests.components.ingestion.memory_files import MemoryFiles

SCHEME = 'thawrw'
FILES: dict[str, bytes] = {}
WRITTEN: list[str] = []
REMOVED: list[str] = []


class _Upload(io.BytesIO):
    """An object that is there once it is closed, as in a bucket."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def close(self) -> None:
        if not self.closed:
            FILES[self._path] = self.getvalue()
            WRITTEN.append(self._path)
        super().close()


class WritableFiles(MemoryFiles):
    """Objects without folders and without renaming."""

    @classmethod
    def scheme(cls) -> str:
        return SCHEME

    def _list(self, dir_or_prefix: str) -> Any:
        for path in sorted(FILES):
            if path.startswith(dir_or_prefix):
                yield FileMetadata(path, len(FILES[path]), 1.0)

    def create(self, path: str, *_: Any, **__: Any) -> Any:
        return _Upload(path)

    def open(self, path: str, *_: Any, **__: Any) -> Any:
        if path not in FILES:
            raise BeamIOError(f'no object {path}')
        return io.BytesIO(FILES[path])

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            del FILES[path]
            REMOVED.append(path)
