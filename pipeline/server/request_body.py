"""Receives the bodies of requests, within bounds on bytes, time and number.

Where too many are being received, the oldest is given up: a body that is sent at once is there in
milliseconds, so clients that send slowly, or hold a body back, do not keep others out. Large bodies
share an amount of memory; small ones, a photo or two, find room beside them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import Request

from thawline.pipeline.server.limits import RequestLimits
from thawline.pipeline.server.request_queue import QueueFull

SECONDS = 60.0
STALL_SECONDS = 5.0
# Must arrive within each STALL_SECONDS, else the body has stalled.
_LEAST_BYTES = 2**16
_MOST = 128
_LARGE_BYTES = 256 * 2**20
_SMALL = 2**20
# A body that is too large is read on for a while: closing the connection in its middle would reach
# the client before the error does.
_DRAINED_TIMES = 4


class TooSlow(Exception):
    """The body does not arrive in time."""


class BodyReceiver:
    """Bounds on all bodies together; for use from one event loop."""

    def __init__(
        self,
        limits: RequestLimits,
        seconds: float = SECONDS,
        stall_seconds: float = STALL_SECONDS,
        most: int = _MOST,
        large_bytes: int = _LARGE_BYTES,
        small: int = _SMALL,
    ) -> None:
        """Receives nothing yet.

        Args:
            limits: of one request.
            seconds: for one body.
            stall_seconds: in which some of it must arrive.
            most: bodies that are being received at a time.
            large_bytes: of all bodies that are being received, wait or run, beyond the first
                `small` of each.
            small: bytes of a body that need no room.
        """
        self._limits, self._seconds, self._stall_seconds = limits, seconds, stall_seconds
        self._most, self._free_bytes, self._small = most, large_bytes, small
        self._receiving: dict[asyncio.Timeout, bytearray] = {}  # the oldest first

    @contextlib.asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[bytearray]:
        """Yields the body; its bytes count until the end of the block.

        Raises:
            TooLarge: it has too many bytes.
            TooSlow: it does not arrive in time, or was given up for others.
            QueueFull: other large bodies leave no room for it.
        """
        body = bytearray()
        try:
            self._limits.check_body(await self._receive_into(body, request))
            yield body
        finally:
            self._forget(body)

    async def _receive_into(self, body: bytearray, request: Request) -> int:
        """Appends what the limits allow; returns the number of bytes received."""
        if len(self._receiving) >= self._most:
            self._give_up_oldest()
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        size = fresh = 0
        try:
            async with asyncio.timeout(min(self._seconds, self._stall_seconds)) as timeout:
                self._receiving[timeout] = body
                async for part in request.stream():
                    if timeout not in self._receiving:
                        raise TooSlow
                    size, fresh = size + len(part), fresh + len(part)
                    if fresh >= _LEAST_BYTES:
                        fresh = 0
                        timeout.reschedule(min(end, loop.time() + self._stall_seconds))
                    if size <= self._limits.body:
                        self._append(body, part)
                    elif size > self._limits.body * _DRAINED_TIMES:
                        break
        except TimeoutError:
            raise TooSlow from None
        finally:
            self._receiving.pop(timeout, None)
        return size

    def _append(self, body: bytearray, part: bytes) -> None:
        size = self._beyond_small(len(body) + len(part)) - self._beyond_small(len(body))
        if size > self._free_bytes:
            raise QueueFull
        self._free_bytes -= size
        body += part

    def _forget(self, body: bytearray) -> None:
        self._free_bytes += self._beyond_small(len(body))
        body.clear()

    def _beyond_small(self, size: int) -> int:
        return max(0, size - self._small)

    def _give_up_oldest(self) -> None:
        oldest = next(iter(self._receiving))
        self._forget(self._receiving.pop(oldest))
        if not oldest.expired():
            oldest.reschedule(asyncio.get_running_loop().time())
