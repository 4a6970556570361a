"""Progress of long work, from wherever it runs to whoever shows it.

Work calls `start`, `advance` and `note`; a display registers with `listening`. Without a listener
(another process, a distributed runner, a unit test) the calls do nothing. State is one counter a
process: TFX runs one node at a time, and Beam's in-process workers are threads of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator


@dataclasses.dataclass(frozen=True)
class Progress:
    """A snapshot: `done` of `total` (None: unknown) pieces of `what`, and a free remark."""

    what: str = ''
    done: int = 0
    total: int | None = None
    remark: str = ''


Listener = Callable[[Progress], None]

_lock = threading.Lock()
_listener: Listener | None = None
_state = Progress()
_part = ''
_where = ''


def _update(**changes: object) -> None:
    global _state
    with _lock:
        if _listener is None:
            return
        _state = dataclasses.replace(_state, **changes)  # type: ignore[arg-type]
        _listener(_state)


def start(what: str, total: int | None = None) -> None:
    """Begins a piece of work of `total` steps, e.g. `start('images', 2624)`."""
    _update(what=_part + what, done=0, total=None if _where else total, remark=_where)


@contextlib.contextmanager
def within(part: str) -> Iterator[None]:
    """Names everything that is started in the block as a part: `within('trial 2 of 6')`."""
    global _part
    before, _part = _part, f'{part}: '
    try:
        yield
    finally:
        _part = before


@contextlib.contextmanager
def elsewhere(where: str) -> Iterator[None]:
    """Says that work in the block is done by others: `elsewhere('flink, 2 workers')`.

    What they advance is not heard of here, so there is no total to get to; an empty `where` changes
    nothing.
    """
    global _where
    before, _where = _where, where
    try:
        yield
    finally:
        _where = before


def advance(steps: int = 1) -> None:
    """Says that `steps` more are done. Safe from any thread."""
    global _state
    with _lock:
        if _listener is None:
            return
        _state = dataclasses.replace(_state, done=_state.done + steps)
        _listener(_state)


def note(remark: str) -> None:
    """Says something short about the work, e.g. `note('val accuracy 0.871')`."""
    _update(remark=remark)


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Sends every change to `listener` for the time of the block; blocks do not nest."""
    global _listener, _state
    with _lock:
        _listener, _state = listener, Progress()
    try:
        yield
    finally:
        with _lock:
            _listener = None
