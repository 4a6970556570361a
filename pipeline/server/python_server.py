"""The server in Python as a process: its address, its console, its exit code."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import importlib.util
import logging
import os
import pathlib
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NoReturn, TextIO

from thawline.components.shared.errors import Busy, ConfigError
from thawline.pipeline.server.limits import RequestLimits
from thawline.pipeline.system import log_redirect
from thawline.pipeline.terminal.server_display import ServerDisplay

if TYPE_CHECKING:
    from thawline.pipeline.recording.recorder import Recorder, RecordingSettings
    from thawline.pipeline.server.metrics import Metrics
    from thawline.pipeline.server.servable import Servable
    from thawline.pipeline.server.version_manager import FindVersions

LOOPBACK = '127.0.0.1'
_LIBRARIES = ('starlette', 'uvicorn', 'prometheus_client')


@dataclasses.dataclass(frozen=True)
class ServiceSettings:
    """What to serve, and how.

    Attributes:
        folder: shown to the user.
        find: lists the complete versions, the highest first.
        check: refuses a version whose files have changed; returns why it cannot tell, or ''.
        name: of the model.
        host: address to listen on; None: 127.0.0.1.
        port: 0: any free port.
        max_side: longest side of an image as the pipeline keeps it.
        limits: of one request.
        grace: seconds that running requests have to finish at shutdown.
        recording: what is kept of images and answers; None: nothing.
    """

    folder: pathlib.Path
    find: FindVersions
    check: Callable[[pathlib.Path], str]
    name: str
    host: str | None
    port: int
    max_side: int
    limits: RequestLimits
    grace: int
    recording: RecordingSettings | None = None


def serve(settings: ServiceSettings, log: pathlib.Path) -> NoReturn:
    """Serves until it is stopped, then ends the process.

    Args:
        settings: what to serve, and how.
        log: receives what libraries print, and tracebacks.

    Raises:
        Busy: another process uses the port, or records into the folder.
        ConfigError: a library is missing, the address cannot be used, or the folder of recordings
            cannot be written.
    """
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f'the server needs {", ".join(missing)}; install with: pip install "thawline[serve]"'
        )
    from thawline.pipeline.server import uvicorn_server

    host = settings.host or LOOPBACK
    try:
        listener = uvicorn_server.listen(host, settings.port)
    except OSError as error:
        kind = Busy if error.errno == errno.EADDRINUSE else ConfigError
        raise kind(
            f'--port: cannot listen on {host}, port {settings.port} ({error.strerror or error}); '
            'choose another port, or 0 for any free one'
        ) from error
    cut_off = 0
    # Ctrl-C before the loop listens to signals: nobody has been answered yet.
    with log_redirect.redirect_output(log) as terminal, contextlib.suppress(KeyboardInterrupt):
        cut_off = _serve(settings, listener, terminal, log)
    # Threads may still run TensorFlow, for clients that are gone.
    os._exit(1 if cut_off else 0)


class _CountingDisplay(ServerDisplay):
    """Counts versions too."""

    def __init__(self, terminal: TextIO, counters: Metrics) -> None:
        super().__init__(terminal)
        self._counters = counters

    def on_loaded(self, version: int, seconds: float, warm_up: int) -> None:
        self._counters.version.set(version)
        self._counters.loads.labels('loaded').inc()
        self._counters.load_seconds.set(seconds)
        super().on_loaded(version, seconds, warm_up)

    def on_failed(self, version: int, error: Exception) -> None:
        self._counters.loads.labels('failed').inc()
        logging.error('version %d cannot be loaded', version, exc_info=error)
        super().on_failed(version, error)


def _prepare_tensorflow() -> None:
    """Sets what TensorFlow reads when it is imported; the user's own values stay."""
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    # TensorFlow's own allocator on x86 (MklCPUAllocator, a pool) never gives anything back: after
    # a few images of 7,000 x 7,000 pixels 340 MB stay, and 25 MB by the system's. Requests of one
    # image take the same processor time by both (5 % more), batches of 32 take 31 % more.
    os.environ.setdefault('TF_ONEDNN_USE_SYSTEM_ALLOCATOR', '1')


def _serve(
    settings: ServiceSettings,
    listener: socket.socket,
    terminal: TextIO,
    log: pathlib.Path,
) -> int:
    """Serves until it is stopped; returns how many requests were cut off."""
    from thawline.pipeline.server import app, metrics, uvicorn_server
    from thawline.pipeline.server.version_manager import VersionManager

    host, port = settings.host or LOOPBACK, listener.getsockname()[1]
    counters = metrics.Metrics()
    display = _CountingDisplay(terminal, counters)
    display.show_start(settings.name, settings.folder, _address(host, port), log)
    _prepare_tensorflow()

    def load(folder: pathlib.Path, version: int) -> Servable:
        if note := settings.check(folder):
            display.show_note(note)
        # Imported on the first call: the server answers while TensorFlow is being imported.
        from thawline.pipeline.server import servable

        return servable.Servable(folder, version)

    versions = VersionManager(settings.find, load, display)
    hosts = None if settings.host else {f'{LOOPBACK}:{port}', f'localhost:{port}'}
    with _recorder(settings.recording, display, counters) as recorder:
        application = app.build(
            app.AppSettings(
                settings.name, hosts, settings.limits, settings.max_side, recorder=recorder
            ),
            versions,
            counters,
        )
        server = uvicorn_server.UvicornServer(application, settings.grace, display.on_stop)
        server.serve_on(listener)
    if counters.cut_off:
        display.show_cut_off(counters.cut_off)
    return counters.cut_off


@contextlib.contextmanager
def _recorder(
    settings: RecordingSettings | None, display: ServerDisplay, counters: Metrics
) -> Iterator[Recorder | None]:
    """What keeps images and answers; None where nothing is kept."""
    if settings is None:
        yield None
        return
    from thawline.pipeline.recording import recorder

    def on_stop(text: str) -> None:
        counters.recording.set(0)
        logging.warning('%s', text)
        display.show_note(text)

    counters.recording.set(1)
    with recorder.record(
        settings, on_stop, lambda outcome: counters.recorded.labels(outcome).inc()
    ) as kept:
        if kept.is_on:
            display.show_note(f'images and answers are kept in {settings.folder}')
        yield kept


def _address(host: str, port: int) -> str:
    shown = {'0.0.0.0': socket.gethostname(), '::': socket.gethostname()}.get(host, host)
    return f'http://[{shown}]:{port}/' if ':' in shown else f'http://{shown}:{port}/'
