"""Keeps the highest version in service: loads a newer one beside it, then lets the old one go.

One thread (`watch`) looks, loads and frees; requests come from others and hold a version for as
long as they need it (`lease`). A version that cannot be loaded is tried again later, at growing
intervals, and the next lower one serves if nothing does yet.
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

Find = Callable[[], Mapping[int, pathlib.Path]]
Load = Callable[[pathlib.Path, int], 'Servable']


class NoSuchVersion(Exception):
    """Another version was asked for than the one in service."""


class NotReady(Exception):
    """No version is in service yet."""


class Listener(Protocol):
    """Who hears of changes; from the watching thread."""

    def loading(self, version: int) -> None: ...
    def changed(self, version: int, seconds: float, warm_up: int) -> None: ...
    def failed(self, version: int, error: Exception) -> None: ...


@dataclasses.dataclass
class _Held:
    model: Servable
    users: int = 0
    retired: bool = False


@dataclasses.dataclass
class _Trouble:
    again: float
    delay: float
    error: Exception


class Hosting:
    """The version in service."""

    def __init__(self, find: Find, load: Load, listener: Listener, interval: float = 1.0) -> None:
        """Nothing is loaded yet.

        Args:
            find: the complete versions that are there, the highest first.
            load: makes one of them ready.
            listener: hears of changes and failures.
            interval: seconds between two looks.
        """
        self._find, self._load, self._listener = find, load, listener
        self._interval = interval
        self._lock = threading.Lock()
        self._current: _Held | None = None
        self._states: dict[int, str] = {}
        self._trouble: dict[int, _Trouble] = {}
        self._stop = threading.Event()
        self._garbage = threading.Event()

    @property
    def current(self) -> Servable | None:
        """The model in service, to read its card from; to run it, lease it."""
        held = self._current
        return None if held is None else held.model

    @property
    def states(self) -> dict[int, str]:
        """What became of each version, in TensorFlow Serving's words."""
        with self._lock:
            return dict(self._states)

    @contextlib.contextmanager
    def lease(self, version: int | None = None) -> Iterator[Servable]:
        """Holds the version in service for the time of the block.

        Raises:
            NotReady: none is.
            NoSuchVersion: another one is.
        """
        with self._lock:
            held = self._current
            if held is None:
                raise NotReady
            if version not in (None, held.model.version):
                raise NoSuchVersion(version)
            held.users += 1
        try:
            yield held.model
        finally:
            with self._lock:
                held.users -= 1
                self._let_go(held)

    def _let_go(self, held: _Held) -> None:
        """With the lock held: frees a retired version after its last request."""
        if held.retired and not held.users:
            self._set(held.model.version, 'END')
            self._garbage.set()

    def _set(self, version: int, state: str) -> None:
        self._states.pop(version, None)
        self._states[version] = state
        for old in list(self._states)[:-_REMEMBERED]:
            del self._states[old]

    def look(self) -> None:
        """Takes the highest version that can be loaded, if it is another one than in service."""
        serving = None if self._current is None else self._current.model.version
        for version, folder in self._find().items():
            if version == serving:
                return
            trouble = self._trouble.get(version)
            if trouble and time.monotonic() < trouble.again:
                continue
            if self._take(version, folder):
                return

    def _take(self, version: int, folder: pathlib.Path) -> bool:
        with self._lock:
            self._set(version, 'LOADING')
        self._listener.loading(version)
        start = time.monotonic()
        try:
            model = self._load(folder, version)
            warm_up = model.warm_up()
        except Exception as error:  # noqa: BLE001 - whatever it is, the old version goes on
            delay = 2 * self._trouble[version].delay if version in self._trouble else _FIRST_RETRY
            delay = min(delay, _LAST_RETRY)
            self._trouble[version] = _Trouble(time.monotonic() + delay, delay, error)
            with self._lock:
                self._set(version, 'END')
            self._listener.failed(version, error)
            return False
        self._trouble.pop(version, None)
        with self._lock:
            old, self._current = self._current, _Held(model)
            self._set(version, 'AVAILABLE')
            if old is not None:
                old.retired = True
                self._set(old.model.version, 'UNLOADING')
                self._let_go(old)
        self._listener.changed(version, time.monotonic() - start, warm_up)
        return True

    def watch(self) -> None:
        """Looks again and again until `stop`; to be run in a thread of its own."""
        said = ''
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:  # a file system may fail for a while; the service goes on
                if str(error) != said:
                    logging.exception('looking for versions failed')
                said = str(error)
            if self._garbage.is_set():
                self._garbage.clear()
                gc.collect()  # TensorFlow's functions are cycles
            self._stop.wait(self._interval)

    def stop(self) -> None:
        """Ends `watch` after what it does at present."""
        self._stop.set()
