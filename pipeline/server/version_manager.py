"""Keeps the highest version in service: loads a newer one beside it, then frees the old one.

One thread (`watch`) checks for versions, loads and frees them; requests run on other threads and
keep a version for as long as they need it (`lease`). A version that cannot be loaded is retried at
growing intervals; until one loads, the next lower one serves.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import logging
import pathlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from thawline.pipeline.server.servable import Servable

_FIRST_RETRY = 10.0
_LAST_RETRY = 300.0
_REMEMBERED = 20

FindVersions = Callable[[], Mapping[int, pathlib.Path]]
LoadVersion = Callable[[pathlib.Path, int], 'Servable']


class NoSuchVersion(Exception):
    """The request names a version that is not the one in service."""


class NotReady(Exception):
    """No version is in service yet."""


class VersionListener(Protocol):
    """Receives changes of the version in service, on the watching thread."""

    def on_loading(self, version: int) -> None: ...
    def on_loaded(self, version: int, seconds: float, warm_up: int) -> None: ...
    def on_failed(self, version: int, error: Exception) -> None: ...


@dataclasses.dataclass
class _LoadedVersion:
    model: Servable
    users: int = 0
    retired: bool = False


@dataclasses.dataclass
class _LoadFailure:
    retry_at: float
    delay: float


class VersionManager:
    """Keeps one version in service."""

    def __init__(
        self,
        find: FindVersions,
        load: LoadVersion,
        listener: VersionListener,
        interval: float = 1.0,
    ) -> None:
        """Loads nothing yet.

        Args:
            find: lists the complete versions, the highest first.
            load: loads one of them.
            listener: receives changes and failures.
            interval: seconds between two checks for new versions.
        """
        self._find, self._load, self._listener = find, load, listener
        self._interval = interval
        self._lock = threading.Lock()
        self._current: _LoadedVersion | None = None
        self._states: dict[int, str] = {}
        self._failures: dict[int, _LoadFailure] = {}
        self._stop = threading.Event()
        self._garbage = threading.Event()

    @property
    def current(self) -> Servable | None:
        """The model in service, for reading its card; to run it, lease it."""
        return None if self._current is None else self._current.model

    @property
    def states(self) -> dict[int, str]:
        """State of each version, named as in TensorFlow Serving."""
        with self._lock:
            return dict(self._states)

    @contextlib.contextmanager
    def lease(self, version: int | None = None) -> Iterator[Servable]:
        """Keeps the version in service loaded during the block.

        Raises:
            NotReady: no version is in service.
            NoSuchVersion: another version is in service.
        """
        with self._lock:
            loaded = self._current
            if loaded is None:
                raise NotReady
            if version not in (None, loaded.model.version):
                raise NoSuchVersion(version)
            loaded.users += 1
        try:
            yield loaded.model
        finally:
            with self._lock:
                loaded.users -= 1
                self._unload_if_unused(loaded)

    def _unload_if_unused(self, loaded: _LoadedVersion) -> None:
        """Needs the lock; frees a retired version after its last request."""
        if loaded.retired and not loaded.users:
            self._set_state(loaded.model.version, 'END')
            self._garbage.set()

    def _set_state(self, version: int, state: str) -> None:
        self._states.pop(version, None)
        self._states[version] = state
        for old in list(self._states)[:-_REMEMBERED]:
            del self._states[old]

    def update(self) -> None:
        """Puts the highest version that can be loaded into service."""
        serving = None if self._current is None else self._current.model.version
        for version, folder in self._find().items():
            if version == serving:
                return
            failure = self._failures.get(version)
            if failure and time.monotonic() < failure.retry_at:
                continue
            if self._replace(version, folder):
                return

    def _replace(self, version: int, folder: pathlib.Path) -> bool:
        with self._lock:
            self._set_state(version, 'LOADING')
        self._listener.on_loading(version)
        start = time.monotonic()
        try:
            model = self._load(folder, version)
            warm_up = model.warm_up()
        except Exception as error:  # noqa: BLE001 - whatever it is, the old version keeps serving
            delay = 2 * self._failures[version].delay if version in self._failures else _FIRST_RETRY
            delay = min(delay, _LAST_RETRY)
            self._failures[version] = _LoadFailure(time.monotonic() + delay, delay)
            with self._lock:
                self._set_state(version, 'END')
            self._listener.on_failed(version, error)
            return False
        self._failures.pop(version, None)
        with self._lock:
            old, self._current = self._current, _LoadedVersion(model)
            self._set_state(version, 'AVAILABLE')
            self._garbage.set()
            if old is not None:
                old.retired = True
                self._set_state(old.model.version, 'UNLOADING')
                self._unload_if_unused(old)
        self._listener.on_loaded(version, time.monotonic() - start, warm_up)
        return True

    def watch(self) -> None:
        """Checks for new versions until `stop`; runs in a thread of its own."""
        logged = ''
        while not self._stop.is_set():
            try:
                self.update()
            except Exception as error:  # a file system may fail for a while; serving goes on
                if str(error) != logged:
                    logging.exception('cannot list the versions')
                logged = str(error)
            if self._garbage.is_set():
                self._garbage.clear()
                gc.unfreeze()
                gc.collect()  # TensorFlow's functions are cycles
                # What is left is there to stay: a request that makes many objects would have all of
                # it looked through again and again, which is most of the time of parsing its JSON.
                gc.freeze()
            self._stop.wait(self._interval)

    def stop(self) -> None:
        """Ends `watch` after its current step."""
        self._stop.set()
