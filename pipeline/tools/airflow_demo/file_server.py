"""Shows logs and reports of a project to a browser on this machine, for the demo's links."""

from __future__ import annotations

import contextlib
import http.server
import pathlib
import posixpath
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

_SHOWN = ('/logs/', '/reports/')


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files of these two folders, for requests that name this server by its own address."""

    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, '.log': 'text/plain'}

    def send_head(self) -> Any:
        """As the base class; a page elsewhere may reach us under its own name (DNS rebinding)."""
        own = f'127.0.0.1:{self.connection.getsockname()[1]}'
        path = posixpath.normpath(urllib.parse.unquote(urllib.parse.urlsplit(self.path).path))
        if self.headers.get('Host') != own or not f'{path}/'.startswith(_SHOWN):
            self.send_error(http.HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextlib.contextmanager
def served(folder: pathlib.Path, port: int) -> Iterator[str]:
    """Serves the folder of a project's runs for the time of the block; yields the address."""

    def handler(*args: Any) -> _Handler:
        return _Handler(*args, directory=str(folder))

    with http.server.ThreadingHTTPServer(('127.0.0.1', port), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f'http://127.0.0.1:{server.server_address[1]}'
        finally:
            server.shutdown()
