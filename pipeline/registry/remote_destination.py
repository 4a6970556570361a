"""Versions on one of Beam's file systems, such as a bucket, without atomic renames.

The objects of a version are written one by one. `saved_model.pb` comes last and completes it: no
loader takes a folder without it for a model, nor does this module. Removal deletes it first.
"""

from __future__ import annotations

import dataclasses
from typing import Any, BinaryIO

from thawline.components.shared import model_fingerprint
from thawline.components.shared.errors import ConfigError, Unavailable
from thawline.components.shared.model_fingerprint import MARKER, Advance, Fingerprint, ModelFiles


@dataclasses.dataclass(frozen=True)
class RemoteFiles:
    """The objects of one version, without the one named `but`."""

    url: str
    but: str = ''

    @property
    def name(self) -> str:
        return self.url

    def files(self) -> list[str]:
        names = (path.removeprefix(f'{self.url}/') for path in _match(f'{self.url}/**'))
        return sorted(name for name in names if name and name[-1] != '/' and name != self.but)

    def open(self, path: str) -> BinaryIO:
        return _open(f'{self.url}/{path}')


@dataclasses.dataclass(frozen=True)
class _Completed:
    """Objects of an incomplete version, with the file that will complete it."""

    url: str
    source: ModelFiles

    @property
    def name(self) -> str:
        return self.url

    def files(self) -> list[str]:
        return sorted({*RemoteFiles(self.url, but=MARKER).files(), MARKER})

    def open(self, path: str) -> BinaryIO:
        return self.source.open(path) if path == MARKER else _open(f'{self.url}/{path}')


class RemoteDestination:
    """Versions below a URL."""

    renames = False

    def __init__(self, url: str) -> None:
        self.url = url
        self._source: ModelFiles | None = None

    @property
    def name(self) -> str:
        return self.url

    def versions(self) -> list[int]:
        names = (path.split('/')[-2] for path in _match(f'{self.url}/*/{MARKER}'))
        return sorted(int(name) for name in names if name.isascii() and name.isdecimal())

    def source(self, version: int) -> RemoteFiles:
        return RemoteFiles(f'{self.url}/{version}')

    def prepare(
        self, source: ModelFiles, version: int, incoming: str, advance: Advance
    ) -> Fingerprint:
        self._source = source
        total = model_fingerprint.Hasher()
        for name in source.files():
            with source.open(name) as file:
                content = total.file(name, model_fingerprint.chunks(file))
                if name == MARKER:
                    for piece in content:
                        advance(len(piece))
                else:
                    self._write(f'{self.url}/{version}/{name}', content, advance)
        return total.tree()

    def prepared(self, version: int, incoming: str) -> ModelFiles:
        assert self._source is not None, 'nothing was prepared'
        return _Completed(f'{self.url}/{version}', self._source)

    def finish(self, source: ModelFiles, version: int, incoming: str) -> None:
        with source.open(MARKER) as file:
            self._write(
                f'{self.url}/{version}/{MARKER}',
                model_fingerprint.chunks(file),
                model_fingerprint.ignore_progress,
            )

    def discard(self, version: int, incoming: str) -> bool:
        remaining = [name for name in self.source(version).files() if name != MARKER]
        if version in self.versions() or not remaining:
            return False
        _delete([f'{self.url}/{version}/{name}' for name in remaining])
        return True

    def remove(self, version: int, hidden: str) -> None:
        _delete([f'{self.url}/{version}/{MARKER}'])
        self.sweep(version, hidden)

    def sweep(self, version: int, hidden: str) -> None:
        if version not in self.versions():
            _delete([f'{self.url}/{version}/{name}' for name in self.source(version).files()])

    def _write(self, path: str, content: Any, advance: Advance) -> None:
        from apache_beam.io.filesystem import BeamIOError, CompressionTypes
        from apache_beam.io.filesystems import FileSystems

        try:
            with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
                for piece in content:
                    file.write(piece)
                    advance(len(piece))
        except ValueError as error:
            raise ConfigError(f'serving.production: {path} cannot be written: {error}') from error
        except (BeamIOError, OSError) as error:
            raise Unavailable(f'serving.production: {path} cannot be written: {error}') from error


def _match(pattern: str) -> list[str]:
    from apache_beam.io.filesystem import BeamIOError
    from apache_beam.io.filesystems import FileSystems

    try:
        return [metadata.path for metadata in FileSystems.match([pattern])[0].metadata_list]
    except ValueError as error:  # a scheme without a file system
        raise ConfigError(f'serving.production: cannot reach {pattern}: {error}') from error
    except BeamIOError as error:
        raise Unavailable(f'serving.production: cannot reach {pattern}: {error}') from error


def _open(path: str) -> BinaryIO:
    from apache_beam.io.filesystem import BeamIOError, CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    try:
        return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    except BeamIOError as error:
        raise OSError(str(error)) from error


def _delete(paths: list[str]) -> None:
    from apache_beam.io.filesystem import BeamIOError
    from apache_beam.io.filesystems import FileSystems

    try:
        FileSystems.delete(paths) if paths else None
    except BeamIOError as error:
        raise Unavailable(f'serving.production: {paths[0]} cannot be removed: {error}') from error
