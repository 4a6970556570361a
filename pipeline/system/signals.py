"""Ctrl-C and SIGTERM as an exception that every layer below cleans up after."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

_requested = threading.Event()


class Interrupted(Exception):
    """Somebody asked the run to stop.

    An `Exception` on purpose: TFX's launcher publishes a node as failed and removes its half-made
    outputs for exceptions, but not for KeyboardInterrupt.
    """


def is_stop_requested() -> bool:
    """Whether a stop was asked for.

    The exception can come up anywhere in TensorFlow or Beam, whose clean-up may replace it with one
    of its own; whatever ends a run after the request is therefore taken as the interruption.
    """
    return _requested.is_set()


def hide_lost_interrupts() -> None:
    """Has Python print nothing where it can hand an interruption to nobody.

    As in a callback of the import system: 'Exception ignored in: ...', with a traceback. A run ends
    all the same, by `is_stop_requested`.
    """

    def report(unraisable: sys.UnraisableHookArgs) -> None:
        if not isinstance(unraisable.exc_value, Interrupted | KeyboardInterrupt):
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = report


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turns Ctrl-C and SIGTERM into `Interrupted`; a second one ends the process at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        _requested.set()
        raise Interrupted(signal.Signals(number).name)

    _requested.clear()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
