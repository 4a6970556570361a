"""Listing and reading files: the local disk directly, every other scheme through Beam.

Local paths never import Beam, because the command line lists sources before anything else runs
and must answer within a second.
"""

from __future__ import annotations

import dataclasses
import difflib
import errno
import os
import stat as stats
from typing import Any

from thawline.components.shared.errors import ConfigError, DataError, Unavailable, from_os_error

# What operating systems leave behind in folders. Anything that starts with a dot is ignored too
# ('._x.jpg' is the resource fork that macOS puts beside 'x.jpg').
_DROPPINGS = frozenset({
    # Windows
    'thumbs.db', 'ehthumbs.db', 'desktop.ini', '$recycle.bin', 'system volume information',
    # macOS
    '__macosx', 'icon\r',
    # file servers: thumbnails, snapshots, what a repair brought to light
    '@eadir', '@__thumb', '#recycle', '#snapshot', 'lost+found',
    # a project beside its images
    'thawline.yaml', 'schema.pbtxt',
})  # fmt: skip
# Windows marks downloads by a stream of this name, which other systems show as a file.
_STREAM = ':zone.identifier'
# In a folder that a project writes its runs to.
OUTPUT_MARKER = '.thawline-output'


class FileTooLarge(Exception):
    """A file has more bytes than are read."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file: where to read it, its path below the root with '/', and its bytes.

    An object in a bucket also has a stamp, the time of its last write.
    """

    path: str
    relative: str
    size: int
    stamp: str = ''


@dataclasses.dataclass(frozen=True)
class FolderTree:
    """What is below a root.

    Attributes:
        entries: files, sorted by relative path.
        ignored: hidden files and folders, and droppings of operating systems.
        empty: folders, by relative path, with nothing below them; local folders only.
        hidden: folders that begin with a dot, by relative path; local folders only.
    """

    entries: tuple[Entry, ...]
    ignored: int
    empty: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


def is_remote(path: str) -> bool:
    """Whether Beam has to reach `path` ('gs://bucket/x'); everything else is the local disk."""
    return '://' in path


def absolute(path: str) -> str:
    """`path` made absolute; URLs only lose their trailing slash."""
    if is_remote(path):
        return path.rstrip('/')
    return os.path.abspath(os.path.expanduser(path))


def join(root: str, relative: str) -> str:
    """The path of `relative` ('/'-separated) below `root`."""
    if is_remote(root):
        return f'{root.rstrip("/")}/{relative}'
    return os.path.join(root, *relative.split('/'))


def parent(path: str) -> str:
    """The folder that holds `path`."""
    if is_remote(path):
        scheme, _, rest = path.partition('://')
        return f'{scheme}://{rest.rpartition("/")[0]}'
    return os.path.dirname(path)


def is_ignored(name: str) -> bool:
    """Hidden files and folders, and what operating systems leave behind."""
    lowered = name.lower()
    return name.startswith('.') or lowered in _DROPPINGS or lowered.endswith(_STREAM)


def tree(root: str) -> FolderTree:
    """All files below the folder `root`.

    Raises:
      DataError: no such folder (with close matches), not a folder, or not readable.
      ConfigError: no file system is installed for the scheme.
    """
    return _remote_tree(root) if is_remote(root) else _local_tree(root)


def stat(path: str) -> Entry | None:
    """The file at `path`, or None when there is none."""
    if is_remote(path):
        matches = [m for m in _match(path) if m.path == path]
        return _remote_entry(matches[0], path) if matches else None
    try:
        info = os.stat(path)
    except OSError:
        return None
    if os.path.isdir(path):
        return None
    return Entry(path, os.path.basename(path), info.st_size)


def exists(path: str) -> bool:
    """Whether there is a file, or a folder (in a bucket: with something in it)."""
    if not is_remote(path):
        return os.path.exists(path)
    return bool(_match(path) or _match(f'{path.rstrip("/")}/**'))


def read(path: str, most: int | None = None) -> bytes:
    """All bytes of the file at `path`.

    Args:
        path: of a regular file: a pipe would be waited for, and a device has no end.
        most: larger files are refused before they are read; None: no bound.

    Raises:
        OSError: also where Beam has an error of its own.
        FileTooLarge: it has more than `most` bytes.
    """
    if not is_remote(path):
        # Not to wait for somebody who writes into a pipe.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), 'rb') as file:
            info = os.fstat(file.fileno())
            if not stats.S_ISREG(info.st_mode):
                raise OSError(errno.EINVAL, 'not a regular file')
            if most is not None and info.st_size > most:
                raise FileTooLarge(f'{info.st_size:,} bytes')
            return file.read()
    from apache_beam.io.filesystem import BeamIOError, CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    try:
        # An image is never compressed as a file; guessing from the suffix would be wrong here.
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            data: bytes = file.read() if most is None else file.read(most + 1)
    except BeamIOError as error:
        raise OSError(str(error)) from error
    if most is not None and len(data) > most:
        raise FileTooLarge(f'more than {most:,} bytes')
    return data


def read_required(path: str) -> bytes:
    """All bytes of a file that lists images or labels.

    Raises:
        DataError: it is missing, a folder, or cannot be read.
    """
    if stat(path) is None:
        if not is_remote(path) and os.path.isdir(path):
            raise DataError(f'{path} is a folder where a file is expected (data.format).')
        raise missing_error(path, 'The file')
    try:
        return read(path)
    except OSError as error:
        raise from_os_error(error, f'{path} cannot be read', DataError) from error


def missing_error(path: str, what: str) -> DataError:
    """The error for a path that does not exist, with what looks like it beside it."""
    if is_remote(path):
        return DataError(f'{what} {path} does not exist or holds no files.')
    folder, name = os.path.split(path)
    while folder and not os.path.isdir(folder):
        folder, name = os.path.split(folder)
    try:
        siblings = os.listdir(folder)
    except OSError:
        siblings = []
    near = difflib.get_close_matches(name, siblings, n=3, cutoff=0.6)
    hint = f' Did you mean {" or ".join(os.path.join(folder, n) for n in near)}?' if near else ''
    return DataError(f'{what} {path} does not exist: there is no {name} in {folder}.{hint}')


def _local_tree(root: str) -> FolderTree:
    if not os.path.exists(root):
        raise missing_error(root, 'The folder')
    if not os.path.isdir(root):
        raise DataError(f'{root} is a file where a folder of images is expected.')
    entries: list[Entry] = []
    ignored = 0
    empty, hidden = [], []
    # Folders may be links (data sets often are); the real paths guard against going in circles.
    stack, seen = [(root, '')], {os.path.realpath(root)}
    while stack:
        folder, prefix = stack.pop()
        items = _scan(folder)
        if any(item.name == OUTPUT_MARKER for item in items):
            ignored += 1
            continue
        if not items and prefix:
            empty.append(prefix.rstrip('/'))
        for item in items:
            relative = prefix + item.name
            if is_ignored(item.name):
                ignored += 1
                if item.name.startswith('.') and _is_folder(item):
                    hidden.append(relative)
                continue
            if _is_folder(item):
                real = os.path.realpath(item.path)
                if real not in seen:
                    seen.add(real)
                    stack.append((item.path, relative + '/'))
                continue
            try:
                size = item.stat().st_size
            except OSError:  # A dangling link: listed, so that reading it gives the reason.
                size = 0
            entries.append(Entry(item.path, relative, size))
    entries.sort(key=lambda e: e.relative)
    return FolderTree(tuple(entries), ignored, tuple(sorted(empty)), tuple(sorted(hidden)))


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # A link to itself, or into a folder that is closed to us.
        return False


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as items:
            return list(items)
    except PermissionError as error:
        raise DataError(f'The folder {folder} is not readable: permission denied.') from error
    except OSError as error:
        if error.errno == errno.ENOENT:  # Removed while we looked.
            return []
        raise from_os_error(error, f'The folder {folder} is not readable', DataError) from error


def _remote_tree(root: str) -> FolderTree:
    prefix = root.rstrip('/') + '/'
    entries, ignored = [], 0
    for metadata in _match(prefix + '**'):
        relative = metadata.path.removeprefix(prefix)
        if not relative or relative.endswith('/'):
            continue  # The zero-byte objects that consoles create to show a folder.
        if any(is_ignored(part) for part in relative.split('/')):
            ignored += 1
            continue
        entries.append(dataclasses.replace(_remote_entry(metadata, relative), relative=relative))
    if not entries and not ignored:
        raise missing_error(root, 'The folder')
    return FolderTree(tuple(sorted(entries, key=lambda e: e.relative)), ignored)


def _remote_entry(metadata: Any, relative: str) -> Entry:
    stamp = str(metadata.last_updated_in_seconds or '')
    return Entry(metadata.path, relative, metadata.size_in_bytes or 0, stamp)


def _match(pattern: str) -> list[Any]:
    from apache_beam.io.filesystem import BeamIOError
    from apache_beam.io.filesystems import FileSystems

    try:
        return FileSystems.match([pattern])[0].metadata_list
    except ValueError as error:  # Beam's answer to a scheme without a file system.
        raise ConfigError(
            f'Cannot reach {pattern}: {error} Received: data.source={pattern!r}.'
        ) from error
    except BeamIOError as error:
        raise Unavailable(f'Cannot list {pattern}: {error}') from error
