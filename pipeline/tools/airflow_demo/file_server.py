"""Shows logs and reports of a project to a browser on this machine, for the demo's links."""

from __future__ import annotations

import contextlib
import functools
import http.server
import pathlib
import posixpath
import urllib.parse
from typing import Any

from thawline.pipeline.system import loopback_server

_SHOWN = ('/logs/', '/reports/')


class _FolderHandler(loopback_server.Handler):
    """Files of these two folders, and nothing else."""

    extensions_map = {**loopback_server.Handler.extensions_map, '.log': 'text/plain'}

    def send_head(self) -> Any:
        path = posixpath.normpath(urllib.parse.unquote(urllib.parse.urlsplit(self.path).path))
        if not f'{path}/'.startswith(_SHOWN):
            self.send_error(http.HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()


def serve(folder: pathlib.Path, port: int) -> contextlib.AbstractContextManager[str]:
    """Serves the folder of a project's runs for the time of the block; yields the address."""
    handler = functools.partial(_FolderHandler, directory=str(folder))
    return loopback_server.Server(port, handler).in_background()
