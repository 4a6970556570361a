"""Memory of this process."""

from __future__ import annotations

import contextlib
import ctypes


def return_free_memory() -> None:
    """Gives free memory back to the operating system; only glibc keeps much, and can.

    Its arenas, one a thread, keep what large requests needed: over 1 GB after a few hundred.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
