"""The files of the content store: records by key, written once, checked when they are read.

    a shard   magic, the values one after the other, the index, the trailer
    index     of each record its key, and place, length and CRC-32 of its value
    trailer   place and CRC-32 of the index, number of records, magic

A shard appears under its name by one rename, when it is complete. Nothing is synced to the disk:
what a power failure leaves does not pass the checks, and is computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import secrets
import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

KEY_BYTES = 16
SUFFIX = '.shard'
DRAFT_SUFFIX = '.draft'  # of a shard that is not complete
_MAGIC = b'THAWSTO1'
_ENTRY = np.dtype([('key', f'S{KEY_BYTES}'), ('place', '<u8'), ('length', '<u8'), ('crc', '<u4')])
_TRAILER = struct.Struct('<QIQ8s')  # place and CRC of the index, records, magic


def key_of(*parts: bytes | memoryview) -> bytes:
    """The key of what is computed from these bytes, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()[:KEY_BYTES]


class ShardWriter:
    """Writes one shard, which appears in its folder when it is published."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Raises OSError where there can be no file."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f'{secrets.token_hex(8)}{SUFFIX}'
        self._path, self._draft = folder / name, folder / f'{name}{DRAFT_SUFFIX}'
        self._file = self._draft.open('wb', buffering=1 << 20)
        self._entries: dict[bytes, tuple[int, int, int]] = {}
        self._file.write(_MAGIC)
        self.size = len(_MAGIC)

    def add(self, key: bytes, value: bytes) -> None:
        """Adds a record; the first of a key counts. Raises OSError, such as for a full disk."""
        if key not in self._entries:
            self._file.write(value)
            self._entries[key] = self.size, len(value), zlib.crc32(value)
            self.size += len(value)

    def publish(self) -> int:
        """Completes the shard; returns its number of records, of which none is no shard."""
        if not self._entries:
            self.discard()
            return 0
        rows = [(key, *entry) for key, entry in self._entries.items()]
        index = np.array(rows, _ENTRY).tobytes()
        trailer = _TRAILER.pack(self.size, zlib.crc32(index), len(rows), _MAGIC)
        self._file.write(index + trailer)
        self._file.close()
        os.replace(self._draft, self._path)
        return len(rows)

    def discard(self) -> None:
        """Leaves nothing behind."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._draft.unlink(missing_ok=True)


class ShardReader:
    """The complete shards of a folder as they are now; what others add or remove is not seen.

    A shard that does not pass a check is deleted: its records are computed again, and written to
    another one.
    """

    def __init__(self, folder: pathlib.Path, shards: Sequence[pathlib.Path] | None = None) -> None:
        """Reads all shards, or these; a folder that is missing or cannot be read has no records."""
        self._files: list[int] = []
        self._paths: list[pathlib.Path] = []
        indexes = [np.zeros(0, _ENTRY)]
        owners = [np.zeros(0, np.int64)]
        for path in _shards(folder) if shards is None else shards:
            if (index := self._open(path)) is not None:
                indexes.append(index)
                owners.append(np.full(len(index), len(self._files) - 1))
        entries = np.concatenate(indexes)
        order = np.argsort(entries['key'], kind='stable')
        self._entries = entries[order]
        self._keys = np.ascontiguousarray(self._entries['key'])
        self._shards = np.concatenate(owners)[order]

    def __len__(self) -> int:
        return len(self._keys)

    def _open(self, path: pathlib.Path) -> np.ndarray | None:
        """Opens a shard and reads its index; the open file outlives its removal by others."""
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:
            return None
        index = _read_index(file)
        if index is None:
            os.close(file)
            _delete(path)
            return None
        self._files.append(file)
        self._paths.append(path)
        return index

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None where there is none that passes the checks."""
        row = int(np.searchsorted(self._keys, key))
        # NumPy drops zeros at the end of a key, on both sides.
        if row == len(self._keys) or self._keys[row] != key.rstrip(b'\0'):
            return None
        _, place, length, crc = self._entries[row].tolist()
        shard = int(self._shards[row])
        try:
            value = os.pread(self._files[shard], length, place) if length else b''
        except OSError:
            return None
        if len(value) != length or zlib.crc32(value) != crc:
            _delete(self._paths[shard])
            return None
        return value

    def knows(self, keys: Sequence[bytes]) -> np.ndarray:
        """Whether there are values of these keys, bool [n]; they are not read, nor checked."""
        wanted = np.array(keys, _ENTRY['key'])
        rows = np.searchsorted(self._keys, wanted)
        known = rows < len(self._keys)
        known[known] = self._keys[rows[known]] == wanted[known]
        return known

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Key and value of each key, those that pass the checks."""
        for key in np.unique(self._keys):
            padded = bytes(key).ljust(KEY_BYTES, b'\0')
            if (value := self.get(padded)) is not None:
                yield padded, value

    def close(self) -> None:
        """Closes the files."""
        while self._files:
            os.close(self._files.pop())


def _shards(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        return sorted(folder.glob(f'*{SUFFIX}'))
    except OSError:  # such as a folder that is removed at this moment
        return []


def _read_index(file: int) -> np.ndarray | None:
    """None where it does not pass the checks."""
    try:
        size = os.fstat(file).st_size
        trailer = os.pread(file, _TRAILER.size, max(0, size - _TRAILER.size))
        if len(trailer) < _TRAILER.size or os.pread(file, len(_MAGIC), 0) != _MAGIC:
            return None
        place, crc, records, magic = _TRAILER.unpack(trailer)
        length = records * _ENTRY.itemsize
        if magic != _MAGIC or place + length + _TRAILER.size != size:
            return None
        content = os.pread(file, length, place)
    except OSError:
        return None
    if len(content) != length or zlib.crc32(content) != crc:
        return None
    return np.frombuffer(content, _ENTRY)


def _delete(path: pathlib.Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
