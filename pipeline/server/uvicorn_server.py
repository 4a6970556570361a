"""uvicorn with our own shutdown: it finishes running requests, then returns."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from thawline.pipeline.server.bounded_protocol import IDLE_SECONDS, BoundedProtocol

# Also the most connections that are accepted in one turn of the loop, before any is read: far fewer
# than there may be, else a new one could be closed for others before its request is seen.
_BACKLOG = 128


def listen(host: str, port: int) -> socket.socket:
    """A socket at the address; connections wait until `serve_on`.

    Raises:
        OSError: the address cannot be used.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


class UvicornServer(uvicorn.Server):
    """Stops on SIGINT and SIGTERM: accepts no new connections, finishes running requests, returns.

    A second signal, or the end of the grace period, cuts off what is left.
    """

    def __init__(self, app: ASGIApp, grace: int, on_stop: Callable[[], None]) -> None:
        """Serves nothing yet.

        Args:
            app: the application.
            grace: seconds that running requests have to finish.
            on_stop: is called at the first signal.
        """
        super().__init__(
            uvicorn.Config(
                app,
                # The same on every machine, whatever else is installed.
                loop='asyncio',
                http=BoundedProtocol,
                backlog=_BACKLOG,
                ws='none',
                lifespan='on',
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=int(IDLE_SECONDS),
                timeout_graceful_shutdown=grace,
            )
        )
        self._on_stop = on_stop
        self._stopping = False

    def serve_on(self, listener: socket.socket) -> None:
        """Serves until it is stopped."""
        self.run(sockets=[listener])

    def stop(self) -> None:
        """The reaction to a signal; call it on the loop's thread."""
        if self._stopping:
            self.force_exit = True
            return
        self._stopping = self.should_exit = True
        self._on_stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Replaces uvicorn's own, which kills the process by the signal after the last answer."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)
