"""A project's store of what is computed from the content of an image, so that data can grow.

A namespace is a folder of shards (`store_shards.py`) for one kind of result and all that decides it
beside the content: settings, code and versions of libraries. A key is a digest of the content. So
what is read is what would be computed, whoever wrote it; and the store is part of no cache key.

    <output>/store/<kind>-<digest>/<random>.shard
    <output>/store/<kind>-<digest>/settings.json     what the digest is of, for people

Any number of processes may read and add at the same time: each writes shards of its own. What goes
wrong with the store (a full or read-only disk, a damaged or deleted file) costs time, never a
result. Executors are lent the store by whoever runs them, where it is on a disk that all workers
share; no parameter tells of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import pathlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from thawline.components.shared.store_shards import (
    DRAFT_SUFFIX,
    SUFFIX,
    ShardReader,
    ShardWriter,
)

_SETTINGS = 'settings.json'
_SHARD_BYTES = 2**28
_MANY_SHARDS = 64
_ABANDONED = 86_400.0  # seconds after which nobody is writing a draft any more


@dataclasses.dataclass(frozen=True)
class Store:
    """Where the store of a project is, and how many bytes it may have."""

    folder: pathlib.Path
    limit: int

    def namespace(self, kind: str, settings: Mapping[str, object]) -> Namespace:
        """The records of a kind ('images', 'pixels') that `settings` decide beside the content."""
        text = json.dumps(settings, sort_keys=True, indent=1)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return Namespace(self, self.folder / f'{kind}-{digest}', text)


@dataclasses.dataclass(frozen=True)
class Namespace:
    """Records of one kind and the same settings; may be sent to workers."""

    store: Store
    folder: pathlib.Path
    settings: str


class Records:
    """Reads records and adds others, in one thread; without a namespace there are none.

    Attributes:
        read: how many were in the store.
        added: how many were added, and published.
        problem: why nothing is added any more; empty if all is well.
    """

    def __init__(self, namespace: Namespace | None) -> None:
        self._namespace = namespace
        self._reader = None if namespace is None else ShardReader(namespace.folder)
        self._writer: ShardWriter | None = None
        self._room = 0
        self.read = self.added = 0
        self.problem = ''
        if namespace is not None:
            with contextlib.suppress(OSError):
                os.utime(namespace.folder)  # the time of its last use

    def get(self, key: bytes) -> bytes | None:
        """The value of a key of `key_of`; None where it has to be computed."""
        value = None if self._reader is None else self._reader.get(key)
        self.read += value is not None
        return value

    def knows(self, keys: Sequence[bytes]) -> np.ndarray:
        """Whether there are records of these keys, bool [n]; for those whose values are empty."""
        if self._reader is None:
            return np.zeros(len(keys), bool)
        known = self._reader.knows(keys)
        self.read += int(known.sum())
        return known

    def put(self, key: bytes, value: bytes) -> None:
        """Adds a record, if there is room; it can be read when it is published."""
        if self._namespace is None or self.problem:
            return
        try:
            if self._writer is None:
                self._writer = self._new_shard(self._namespace)
            if self._writer.size + len(value) > self._room:
                self.publish()
                self.problem = 'it is full (data.store.gigabytes), or the disk nearly is'
                return
            self._writer.add(key, value)
            if self._writer.size >= _SHARD_BYTES:
                self.publish()
        except OSError as error:
            self._stop(error)

    def publish(self) -> None:
        """Makes what was added readable for others."""
        if self._writer is None:
            return
        try:
            self.added += self._writer.publish()
            self._writer = None
        except OSError as error:
            self._stop(error)

    def close(self) -> None:
        """Frees the files; what is not published is lost."""
        if self._writer is not None:
            self._writer.discard()
            self._writer = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _new_shard(self, namespace: Namespace) -> ShardWriter:
        writer = ShardWriter(namespace.folder)
        with contextlib.suppress(OSError):
            (namespace.folder / _SETTINGS).write_text(namespace.settings, 'utf-8')
        self._room = _make_room(namespace.store, namespace.folder)
        return writer

    def _stop(self, error: OSError) -> None:
        self.problem = error.strerror or str(error)
        logging.warning('nothing more is added to the store: %s', error)
        if self._writer is not None:
            self._writer.discard()
            self._writer = None


def _make_room(store: Store, used_now: pathlib.Path) -> int:
    """Bytes that a new shard may have: removes namespaces for it that were not used for longest.

    Half of the free disk stays free at any rate, for the artifacts of the run.
    """
    evict(store, _SHARD_BYTES, used_now)
    free = shutil.disk_usage(used_now).free
    return min(store.limit - size_of(store.folder), free // 2)


def evict(store: Store, room: int, used_now: pathlib.Path | None = None) -> None:
    """Removes namespaces that were not used for longest, until `room` bytes are below the limit.

    The last used namespace of each kind stays: the next run needs it.
    """
    by_use = sorted(namespaces(store.folder), key=_last_use, reverse=True)
    latest: dict[str, pathlib.Path] = {}
    for folder in by_use:
        latest.setdefault(folder.name.partition('-')[0], folder)
    kept = {*latest.values(), used_now}
    candidates = [folder for folder in reversed(by_use) if folder not in kept]
    while candidates and size_of(store.folder) + room > store.limit:
        shutil.rmtree(candidates.pop(0), ignore_errors=True)


def namespaces(folder: pathlib.Path) -> list[pathlib.Path]:
    """The folders of the namespaces of a store, by name."""
    return sorted(path for path in folder.glob('*-*') if path.is_dir())


def size_of(folder: pathlib.Path) -> int:
    """Bytes of all files below a folder; 0 where there is none."""
    total = 0
    for path in folder.rglob('*'):
        with contextlib.suppress(OSError):  # removed by another process
            total += path.stat().st_size if path.is_file() else 0
    return total


def _last_use(folder: pathlib.Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def tidy(namespace: Namespace) -> None:
    """Removes drafts that a kill left, and merges small shards into one where there are many.

    Another run may be at it, too: what it takes away is left to it.
    """
    with contextlib.suppress(OSError):
        _tidy(namespace)


def _tidy(namespace: Namespace) -> None:
    for draft in namespace.folder.glob(f'*{DRAFT_SUFFIX}'):
        if time.time() - _last_use(draft) > _ABANDONED:
            draft.unlink(missing_ok=True)
    shards = sorted(namespace.folder.glob(f'*{SUFFIX}'), key=lambda path: path.stat().st_size)
    small = [path for path in shards if path.stat().st_size < _SHARD_BYTES // 8]
    if len(small) < _MANY_SHARDS:
        return
    reader, writer = ShardReader(namespace.folder, small), ShardWriter(namespace.folder)
    try:
        for key, value in reader.records():
            writer.add(key, value)
        writer.publish()
        for path in small:
            path.unlink(missing_ok=True)
    finally:
        writer.discard()
        reader.close()


_lent: Store | None = None


@contextlib.contextmanager
def lend(store: Store | None) -> Iterator[None]:
    """Lets executors of this process use a store for the time of the block."""
    global _lent
    before, _lent = _lent, store
    try:
        yield
    finally:
        _lent = before


def lent_namespace(kind: str, settings: Mapping[str, object]) -> Namespace | None:
    """A namespace of the store that was lent; None where there is none."""
    return None if _lent is None else _lent.namespace(kind, settings)
