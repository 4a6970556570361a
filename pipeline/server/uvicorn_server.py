"""The process around the application: its socket, its signals, its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

_IDLE_SECONDS = 30
_BACKLOG = 512


def listen(host: str, port: int) -> socket.socket:
    """A socket at the address; nobody is let in before `serve`.

    Raises:
        OSError: the address cannot be used.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made


class Server(uvicorn.Server):
    """Ends on SIGINT and SIGTERM: takes no new connections, answers what has begun, then returns.

    A second signal, or the end of the time for it, cuts off what is left.
    """

    def __init__(self, app: ASGIApp, grace: int, asked_to_stop: Callable[[], None]) -> None:
        """Serves nothing yet.

        Args:
            app: what answers.
            grace: seconds that requests have to end.
            asked_to_stop: is called at the first signal.
        """
        super().__init__(
            uvicorn.Config(
                app,
                # One way on every machine, whatever else is installed.
                loop='asyncio',
                http='h11',
                ws='none',
                lifespan='on',
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=grace,
            )
        )
        self._asked_to_stop = asked_to_stop
        self._stopping = False

    def serve_on(self, listener: socket.socket) -> None:
        """Answers until the end."""
        self.run(sockets=[listener])

    def stop(self) -> None:
        """What a signal does; to be called from the loop's thread."""
        if self._stopping:
            self.force_exit = True
            return
        self._stopping = self.should_exit = True
        self._asked_to_stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Instead of uvicorn's own, which ends the process by the signal once it has answered."""
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
