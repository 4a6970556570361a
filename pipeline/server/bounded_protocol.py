"""uvicorn's HTTP/1.1 protocol with bounds on the number of connections and on waiting for them.

uvicorn itself has neither a time limit for headers nor one for clients that do not read, and its
`limit_concurrency` refuses everybody, probes of health included, while idle connections stay open.
Here the connection that has waited for a request the longest makes room for a new one: a client
that asks at once is answered, however many others have opened a connection and say nothing.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from thawline.pipeline.server.guard import error_body

MOST_CONNECTIONS = 512
HEADER_SECONDS = 10.0
IDLE_SECONDS = 30.0
# Without reading anything of an answer that does not fit the buffers of both sides.
SEND_SECONDS = 30.0


def most_connections() -> int:
    """As many as leave half of the process's file descriptors to everything else."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft < 0 else min(MOST_CONNECTIONS, soft // 2)


class BoundedProtocol(H11Protocol):
    """One connection.

    Attributes:
        most, header_seconds, idle_seconds, send_seconds: the bounds, of all connections.
        waiting_since: time on the loop since which no request is under way; None during one.
    """

    most: ClassVar[int] = most_connections()
    header_seconds: ClassVar[float] = HEADER_SECONDS
    idle_seconds: ClassVar[float] = IDLE_SECONDS
    send_seconds: ClassVar[float] = SEND_SECONDS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.waiting_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._send_timer: asyncio.TimerHandle | None = None
        self._heard = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Makes room for the connection, or refuses it where all others are busy."""
        is_full = len(self.connections) >= self.most and not self._close_longest_waiting()
        super().connection_made(transport)
        if is_full:
            self._answer(503, 'too many connections; try again in a moment')
            return
        self._wait(self.header_seconds)

    def _close_longest_waiting(self) -> bool:
        waiting: dict[BoundedProtocol, float] = {
            other: other.waiting_since
            for other in self.connections
            if isinstance(other, BoundedProtocol) and other.waiting_since is not None
        }
        if not waiting:
            return False
        other = min(waiting, key=waiting.__getitem__)
        # Now, not when the transport says so: many connections may come in one turn of the loop.
        self.connections.discard(other)
        other.abort()
        return True

    def abort(self) -> None:
        """Closes the connection at once; what was not sent is lost."""
        self._stop_timers()
        self.transport.abort()

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._send_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._send_timer = None

    def _wait(self, seconds: float) -> None:
        self.waiting_since, self._heard = self.loop.time(), False
        self._set_timer(seconds, self._on_timeout)

    def _set_timer(self, seconds: float, react: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, react)

    def _on_timeout(self) -> None:
        if self._heard and self.conn.our_state is h11.IDLE and not self.transport.is_closing():
            self._answer(408, f'the headers were not received within {self.header_seconds:g} s')
        else:
            self.abort()

    def _answer(self, status: int, message: str) -> None:
        """Answers for the application, and closes the connection."""
        body = error_body(message)
        headers = [
            ('Content-Type', 'application/json'),
            ('Content-Length', str(len(body))),
            ('Connection', 'close'),
        ]
        if status == 503:
            headers.append(('Retry-After', '1'))
        for event in (
            h11.Response(status_code=status, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b'')
        self.transport.close()
        self._set_timer(self.header_seconds, self.abort)

    def send_400_response(self, msg: str) -> None:
        """Answers what is not HTTP in the form of all other errors."""
        self._answer(400, msg)

    def data_received(self, data: bytes) -> None:
        """Takes bytes; a request must be complete up to its body soon after its first one."""
        if self.waiting_since is not None and not self._heard:
            self._heard = True
            self._set_timer(self.header_seconds, self._on_timeout)
        super().data_received(data)
        self._note_request()

    def _note_request(self) -> None:
        under_way = self.cycle is not None and not self.cycle.response_complete
        if under_way and self.waiting_since is not None:
            self.waiting_since = None
            if self._timer is not None:
                self._timer.cancel()

    def on_response_complete(self) -> None:
        """Waits for the next request, which may have been received already.

        What is left of a body that was refused counts as the next request that does not begin.
        """
        self._wait(self.idle_seconds)
        super().on_response_complete()
        self._note_request()

    def pause_writing(self) -> None:
        """The client does not read: not for long, whatever it sends meanwhile."""
        super().pause_writing()
        self._send_timer = self.loop.call_later(self.send_seconds, self.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self._send_timer is not None:
            self._send_timer.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the timers."""
        self._stop_timers()
        super().connection_lost(exc)
