"""Ctrl-C and SIGTERM as an exception that every layer below cleans up after."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Interrupted(Exception):
    """Somebody asked the run to stop.

    An `Exception` on purpose: TFX's launcher publishes a node as failed and removes its half-made
    outputs for exceptions, but not for KeyboardInterrupt.
    """


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Turns Ctrl-C and SIGTERM into `Interrupted`; a second one ends the process at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Interrupted(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
