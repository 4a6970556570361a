"""`python -m thawline.pipeline.engines.parent_death`: a command that ends with its parent.

Linux sends the signal to a process whose parent has died (PR_SET_PDEATHSIG), and it stays set when
another program takes the process over. A kill of the parent (SIGKILL), after which it cannot clean
up any more, leaves nothing behind this way.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tie(parent: int) -> None:
    """Ends this process as soon as the thread of `parent` that started it has ended.

    Args:
        parent: its process id, as it knows it: it may be gone already.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def command(program: list[str]) -> list[str]:
    """The command that runs `program` on the leash of this process."""
    return [
        sys.executable,
        '-m',
        'thawline.pipeline.engines.parent_death',
        str(os.getpid()),
        *program,
    ]


if __name__ == '__main__':
    tie(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
