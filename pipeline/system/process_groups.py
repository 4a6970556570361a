"""Processes that lead a group of their own (`start_new_session`)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess


def end(leader: subprocess.Popen[bytes], patience: float) -> None:
    """Ends a process and all that it started: SIGTERM, at the latest after `patience` s SIGKILL."""
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            leader.wait(seconds)
