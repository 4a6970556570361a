"""A Beam file system in memory, to prove that nothing assumes local paths.

Beam finds it by its scheme, `thawmem`, as it finds the ones for gs:// and s3://.
"""

from __future__ import annotations

import io
import posixpath
from collections.abc import Iterator
from typing import Any

from apache_beam.io.filesystem import (
    BeamIOError,
    CompressedFile,
    CompressionTypes,
    FileMetadata,
    FileSystem,
)

FILES: dict[str, bytes] = {}
PREFIX = 'thawmem://'


class MemoryFiles(FileSystem):
    """Objects in a dictionary, as an object store keeps them: there are no folders."""

    @classmethod
    def scheme(cls) -> str:
        return 'thawmem'

    def join(self, basepath: str, *paths: str) -> str:
        return posixpath.join(basepath, *paths)

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition('/')
        return head, tail

    def mkdirs(self, path: str) -> None:
        del path

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for path in sorted(FILES):
            if path.startswith(dir_or_prefix):
                yield FileMetadata(path, len(FILES[path]), 1.0)

    def create(self, path: str, *_: Any, **__: Any) -> io.BytesIO:
        raise BeamIOError(f'{path} is read-only')

    def open(
        self,
        path: str,
        mime_type: str = 'application/octet-stream',
        compression_type: str = CompressionTypes.AUTO,
    ) -> Any:
        del mime_type
        if path not in FILES:
            raise BeamIOError(f'no object {path}')
        kind = (
            CompressionTypes.detect_compression_type(path)
            if compression_type == CompressionTypes.AUTO
            else compression_type
        )
        raw = io.BytesIO(FILES[path])
        return raw if kind == CompressionTypes.UNCOMPRESSED else CompressedFile(raw, kind)

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        raise BeamIOError('read-only')

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        raise BeamIOError('read-only')

    def exists(self, path: str) -> bool:
        return path in FILES

    def size(self, path: str) -> int:
        return len(FILES[path])

    def last_updated(self, path: str) -> float:
        return 1.0 if path in FILES else 0.0

    def checksum(self, path: str) -> str:
        return str(hash(FILES[path]))

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, len(FILES[path]), 1.0)

    def delete(self, paths: list[str]) -> None:
        raise BeamIOError('read-only')
