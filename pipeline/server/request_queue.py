"""Runs what takes time in threads, so that the event loop stays free, and bounds what may wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

_T = TypeVar('_T')


class Busy(Exception):
    """Too much waits already."""


class Work:
    """Threads, and bounds of what waits for them; to be used from one event loop."""

    def __init__(self, threads: int = 2, waiting: int = 64, held: int = 256 * 2**20) -> None:
        """Starts nothing.

        Args:
            threads: of work done at a time.
            waiting: pieces of work beyond these.
            held: bytes of requests that are being read, wait or are worked on.
        """
        self._executor = concurrent.futures.ThreadPoolExecutor(threads, 'work')
        self._most = threads + waiting
        self._free = held
        self.under_way = 0

    async def run(self, function: Callable[[], _T]) -> _T:
        """Runs a function in a thread.

        Raises:
            Busy: too many wait.
        """
        if self.under_way >= self._most:
            raise Busy
        future = self._executor.submit(function)
        self.under_way += 1
        future.add_done_callback(self._done_from(asyncio.get_running_loop()))
        return await asyncio.wrap_future(future)

    def _done_from(
        self, loop: asyncio.AbstractEventLoop
    ) -> Callable[[concurrent.futures.Future[_T]], None]:
        def done(_: concurrent.futures.Future[_T]) -> None:
            # After the loop's end nobody counts any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._ended)

        return done

    def _ended(self) -> None:
        self.under_way -= 1

    @contextlib.contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """A function that takes note of further bytes; the end of the block gives them back.

        It raises Busy where there is no room.
        """
        taken = 0

        def hold(size: int) -> None:
            nonlocal taken
            if size > self._free:
                raise Busy
            self._free -= size
            taken += size

        try:
            yield hold
        finally:
            self._free += taken

    def close(self) -> None:
        """Takes no more; what has not begun is dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)
