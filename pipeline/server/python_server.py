"""Our own server as a process: its address, its console, its end."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import os
import pathlib
import socket
from typing import TYPE_CHECKING, NoReturn

import rich.console
import rich.status

from thawline.components.shared.durations import duration
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.server.limits import Limits
from thawline.pipeline.system import log_redirect
from thawline.pipeline.terminal.console import say

if TYPE_CHECKING:
    from thawline.pipeline.server.metrics import Metrics
    from thawline.pipeline.server.servable import Servable
    from thawline.pipeline.server.version_manager import Find

LOOPBACK = '127.0.0.1'
_LIBRARIES = ('starlette', 'uvicorn', 'prometheus_client')


@dataclasses.dataclass(frozen=True)
class Asked:
    """What to serve, and how.

    Attributes:
        folder: to be named at the prompt.
        find: the complete versions that are there, the highest first.
        name: of the model.
        host: None: this machine alone.
        port: 0: any free one.
        max_side: longest side of an image as the pipeline keeps it.
        limits: of one request.
        grace: seconds that requests have to end.
    """

    folder: pathlib.Path
    find: Find
    name: str
    host: str | None
    port: int
    max_side: int
    limits: Limits
    grace: int


def execute(asked: Asked, log: pathlib.Path) -> NoReturn:
    """Serves until somebody stops it, then ends the process.

    Args:
        asked: what to serve.
        log: receives what libraries print, and the traces of what failed.

    Raises:
        ConfigError: a library is missing, or the address cannot be used.
    """
    missing = [one for one in _LIBRARIES if importlib.util.find_spec(one) is None]
    if missing:
        raise ConfigError(
            f'the server needs {", ".join(missing)}; install with: pip install "thawline[serve]"'
        )
    from thawline.pipeline.server import uvicorn_server

    try:
        listener = uvicorn_server.listen(asked.host or LOOPBACK, asked.port)
    except OSError as error:
        raise ConfigError(
            f'--port: {asked.port} on {asked.host or LOOPBACK} cannot be used '
            f'({error.strerror or error}); give another one, or 0 for any that is free'
        ) from error
    with log_redirect.redirect_output(log) as terminal:
        cut_off = _serve(asked, listener, rich.console.Console(file=terminal), log)
    # Threads may still be in TensorFlow, with answers that nobody waits for.
    os._exit(1 if cut_off else 0)


class _Teller:
    """Says at the prompt what becomes of versions, and counts it."""

    def __init__(self, console: rich.console.Console, counters: Metrics) -> None:
        self._console, self._counters = console, counters
        self._status: rich.status.Status | None = None

    def loading(self, version: int) -> None:
        if self._console.is_terminal:
            self._status = self._console.status(f'loading version {version}')
            self._status.start()

    def _ended(self) -> None:
        if self._status is not None:
            self._status.stop()

    def changed(self, version: int, seconds: float, warm_up: int) -> None:
        self._ended()
        self._counters.version.set(version)
        self._counters.loads.labels('loaded').inc()
        self._counters.load_seconds.set(seconds)
        say(
            self._console, ('✓ ', 'green'), f'version {version} in service',
            (
                f' (loaded in {duration(seconds)}, {warm_up} requests to warm up)',
                'dim',
            ),
        )  # fmt: skip

    def failed(self, version: int, error: Exception) -> None:
        self._ended()
        self._counters.loads.labels('failed').inc()
        logging.error('version %d cannot be loaded', version, exc_info=error)
        text = ' '.join(f'{type(error).__name__}: {error}'.split())[:300]
        say(
            self._console, ('✗ ', 'red'),
            f'version {version} cannot be loaded: {text}; it is tried again later',
        )  # fmt: skip


def _serve(
    asked: Asked, listener: socket.socket, console: rich.console.Console, log: pathlib.Path
) -> int:
    """Serves until the end; returns how many requests were cut off."""
    from thawline.pipeline.server import app, metrics, uvicorn_server
    from thawline.pipeline.server.version_manager import Hosting

    host, port = asked.host or LOOPBACK, listener.getsockname()[1]
    say(console, f'{asked.name} from {asked.folder}: ', (_address(host, port), 'bold'))
    say(console, 'Ctrl-C ends it', (f'   log: {log}', 'dim'))
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    counters = metrics.Metrics()
    hosting = Hosting(asked.find, _load, _Teller(console, counters))
    hosts = None if asked.host else {f'{LOOPBACK}:{port}', f'localhost:{port}'}
    settings = app.Settings(asked.name, hosts, asked.limits, asked.max_side)
    application = app.build(settings, hosting, counters)

    def asked_to_stop() -> None:
        say(console, ('ending: what has begun is answered first', 'dim'))

    uvicorn_server.Server(application, asked.grace, asked_to_stop).serve_on(listener)
    if counters.cut_off:
        say(console, ('✗ ', 'red'), f'requests that were cut off: {counters.cut_off}')
    return counters.cut_off


def _load(folder: pathlib.Path, version: int) -> Servable:
    """Not imported before the first call: the server answers while TensorFlow is being imported."""
    from thawline.pipeline.server import servable

    return servable.Servable(folder, version)


def _address(host: str, port: int) -> str:
    shown = {'0.0.0.0': socket.gethostname(), '::': socket.gethostname()}.get(host, host)
    return f'http://[{shown}]:{port}/' if ':' in shown else f'http://{shown}:{port}/'
