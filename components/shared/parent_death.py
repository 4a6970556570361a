"""A command that dies with its parent: `python parent_death.py PID COMMAND ...`.

Linux sends SIGKILL to a process whose parent has died (PR_SET_PDEATHSIG), even after `exec`:
a parent that is killed and cannot clean up leaves nothing behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Kills this process when the thread that started it in the process `parent` ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before this call
        os._exit(1)


def command(program: list[str]) -> list[str]:
    """The command that runs `program` so that it dies with this process."""
    return [
        sys.executable,
        '-I',  # a program of the standard library alone
        __file__,
        str(os.getpid()),
        *program,
    ]


if __name__ == '__main__':
    die_with(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
