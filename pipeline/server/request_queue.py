"""Runs blocking work in threads, so that the event loop stays free, and bounds what may wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable
from typing import TypeVar

from thawline.pipeline.system import memory

_T = TypeVar('_T')
# After a request; more of them meanwhile are one cause.
_TRIM_SECONDS = 2.0


class QueueFull(Exception):
    """Too many requests, or too many bytes of them, wait already."""


class RequestQueue:
    """Threads, and bounds on what waits for them; for use from one event loop."""

    def __init__(self, threads: int = 2, most_waiting: int = 64) -> None:
        """Starts nothing.

        Args:
            threads: requests that run at a time.
            most_waiting: requests that wait beyond these.
        """
        self._executor = concurrent.futures.ThreadPoolExecutor(threads, 'work')
        self._most_pending = threads + most_waiting
        self._trim: asyncio.TimerHandle | None = None
        self.pending = 0

    async def run(self, function: Callable[[], _T]) -> _T:
        """Runs a function in a thread.

        Raises:
            QueueFull: too many wait.
        """
        if self.pending >= self._most_pending:
            raise QueueFull
        future = self._executor.submit(function)
        self.pending += 1
        loop = asyncio.get_running_loop()

        def on_done(_: concurrent.futures.Future[_T]) -> None:
            # After the loop has ended nobody counts any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._count_done)

        future.add_done_callback(on_done)
        return await asyncio.wrap_future(future)

    def _count_done(self) -> None:
        self.pending -= 1
        if self._trim is None:
            loop = asyncio.get_running_loop()
            self._trim = loop.call_later(_TRIM_SECONDS, self._return_memory)

    def _return_memory(self) -> None:
        self._trim = None
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._executor.submit(memory.return_free_memory)

    def close(self) -> None:
        """Accepts nothing more and drops what has not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)
