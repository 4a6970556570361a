"""Runs blocking work in threads, so that the event loop stays free, and bounds what may wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

_T = TypeVar('_T')


class QueueFull(Exception):
    """Too many requests, or too many bytes of them, are waiting already."""


class RequestQueue:
    """Threads, and bounds on what waits for them; for use from one event loop."""

    def __init__(
        self, threads: int = 2, most_waiting: int = 64, most_bytes: int = 256 * 2**20
    ) -> None:
        """Starts nothing.

        Args:
            threads: requests that run at a time.
            most_waiting: requests that wait beyond these.
            most_bytes: of request bodies that are being read, wait or run.
        """
        self._executor = concurrent.futures.ThreadPoolExecutor(threads, 'work')
        self._most_pending = threads + most_waiting
        self._free_bytes = most_bytes
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

    @contextlib.contextmanager
    def reserve_bytes(self) -> Iterator[Callable[[int], None]]:
        """Yields a function that reserves further bytes; the end of the block frees them.

        The function raises QueueFull where there is no room.
        """
        reserved = 0

        def reserve(size: int) -> None:
            nonlocal reserved
            if size > self._free_bytes:
                raise QueueFull
            self._free_bytes -= size
            reserved += size

        try:
            yield reserve
        finally:
            self._free_bytes += reserved

    def close(self) -> None:
        """Accepts nothing more and drops what has not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)
