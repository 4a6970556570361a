"""HTTP on the loopback interface, for a browser on this machine alone."""

from __future__ import annotations

import contextlib
import http.server
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from thawline.pipeline.system import signals

HOST = '127.0.0.1'


class Handler(http.server.SimpleHTTPRequestHandler):
    """Refuses requests under the name of another machine; `send_head` answers the others."""

    server_version, sys_version = 'thawline', ''
    timeout = 30

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        port = self.connection.getsockname()[1]
        # A name of somebody else's that leads here would let their page read this one (DNS
        # rebinding).
        if self.headers.get('Host', '') not in (f'{HOST}:{port}', f'localhost:{port}'):
            self.send_error(http.HTTPStatus.MISDIRECTED_REQUEST)
            return False
        return True

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the terminal is for other lines."""


class Server(http.server.ThreadingHTTPServer):
    """Listens on a port, or on a free one for 0; `url` says where."""

    def __init__(self, port: int, handler: Callable[..., Handler]) -> None:
        super().__init__((HOST, port), handler)
        self.url = f'http://{HOST}:{self.server_port}'

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A signal that comes while a request is given to its thread ends the server too."""
        error = sys.exc_info()[1]
        if isinstance(error, signals.Interrupted):
            self.shutdown_request(request)
            raise error
        super().handle_error(request, client_address)

    @contextlib.contextmanager
    def in_background(self) -> Iterator[str]:
        """Answers on a thread for the time of the block; yields the address."""
        with self:
            threading.Thread(target=self.serve_forever, daemon=True).start()
            try:
                yield self.url
            finally:
                self.shutdown()
