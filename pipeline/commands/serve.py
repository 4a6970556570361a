"""`thawline serve`: a model behind HTTP, by TensorFlow Serving where it is, else by our own.

Which model: the highest version in the project's production folder, or in staging, or a path.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping

import rich.console

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.project import Project
from thawline.pipeline.registry import version_folders
from thawline.pipeline.server import process, tensorflow_serving
from thawline.pipeline.server.limits import Limits
from thawline.pipeline.terminal import progress_display

_ENDED_BY_SIGNAL = (-signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGTERM)


@dataclasses.dataclass(frozen=True)
class Options:
    """What was asked for at the prompt.

    Attributes:
        stage: 'production' or 'staging'.
        model: a path, a stage, or the id of a model or run instead.
        name: of the model in the paths; None: the project's.
        host: None: this machine alone.
        port: of REST and the page; 0: any free one.
        grpc_port: of TensorFlow Serving.
        python: whether to take our own server anyway.
        limits: of one request.
        grace: seconds that requests have to end.
    """

    stage: str = 'production'
    model: str | None = None
    name: str | None = None
    host: str | None = None
    port: int = 8501
    grpc_port: int = 8500
    python: bool = False
    limits: Limits = dataclasses.field(default_factory=Limits)
    grace: int = 20


@dataclasses.dataclass(frozen=True)
class Target:
    """What is served.

    Attributes:
        folder: of versions, or of one model.
        version: of the one model; None for a folder of versions.
    """

    folder: pathlib.Path
    version: int | None

    def find(self) -> Mapping[int, pathlib.Path]:
        """The versions that are there, the highest first."""
        if self.version is None:
            return version_folders.complete(self.folder)
        return {self.version: self.folder}


def target(
    stages: Mapping[str, str], options: Options, recorded: Callable[[str], pathlib.Path]
) -> Target:
    """Finds what is to be served.

    Args:
        stages: where each stage keeps its versions.
        options: what was asked for.
        recorded: the folder of a model that the metadata know by an id.

    Raises:
        ConfigError: there is nothing.
    """
    wanted = options.model
    if wanted is not None and wanted not in stages:
        path = pathlib.Path(wanted).expanduser()
        return _at_path(path if path.exists() or '/' in wanted else recorded(wanted))
    stage = wanted or options.stage
    place = stages[stage]
    if '://' in place:
        raise ConfigError(
            f'serving.production: {place} is no folder on this machine; let the server there read '
            'it, or serve --stage staging'
        )
    folder = pathlib.Path(place)
    if version_folders.complete(folder):
        return Target(folder, None)
    if stage == 'staging':
        raise ConfigError(f'no model in staging ({folder}); train one with: thawline run')
    waiting = version_folders.complete(pathlib.Path(stages['staging']))
    raise ConfigError(
        f'no model in production ({folder}); '
        + (
            'promote one with: thawline promote MODEL, or serve what waits with: '
            'thawline serve --stage staging'
            if waiting
            else 'train one with: thawline run, then: thawline promote last'
        )
    )


def _at_path(path: pathlib.Path) -> Target:
    folder = path.resolve()
    if version_folders.is_model(folder):
        number = version_folders.number(folder.name)
        return Target(folder, 1 if number is None else number)
    if version_folders.complete(folder):
        return Target(folder, None)
    raise ConfigError(
        f'--model: {path} is neither a SavedModel nor a folder of versions (named by numbers)'
    )


def recorded_model(project: Project, wanted: str) -> pathlib.Path:
    """The folder of a model by its id or that of its run, from the metadata.

    Raises:
        ConfigError: there is none.
    """
    from thawline.pipeline.registry import files  # ML Metadata only for those who ask

    return files.saved_model(project, wanted)


def stages_of(project: Project) -> dict[str, str]:
    """Where each stage keeps its versions."""
    return {'production': project.production(), 'staging': str(project.staging)}


def execute(project: Project, options: Options) -> int:
    """Serves until somebody stops it; returns the exit code.

    Raises:
        ConfigError: there is no model, or the address cannot be used.
    """
    name = options.name or project.name
    if not re.fullmatch(r'[A-Za-z0-9_.-]{1,100}', name):
        raise ConfigError(
            f'--name: {name!r}; letters, digits, _, . and - are known to every client'
        )
    stages = stages_of(project)
    served = target(stages, options, functools.partial(recorded_model, project))
    console = rich.console.Console(file=sys.stdout)
    if not options.python:
        found, why = tensorflow_serving.find()
        if found is not None:
            return _run_tensorflow_serving(found, served, name, options, console)
        progress_display.say(console, (f'{why}: a small server in Python instead', 'dim'))
    asked = process.Asked(
        served.folder, served.find, name, options.host, options.port, project.config.data.max_side,
        options.limits, options.grace,
    )  # fmt: skip
    process.execute(asked, _log(project))


def _run_tensorflow_serving(
    found: tensorflow_serving.Found,
    served: Target,
    name: str,
    options: Options,
    console: rich.console.Console,
) -> int:
    host = options.host or process.LOOPBACK
    ports = tensorflow_serving.Ports(
        *((_free_port(), _free_port()) if options.port == 0 else (options.port, options.grpc_port))
    )
    with tempfile.TemporaryDirectory() as scratch:
        base = served.folder
        if served.version is not None:
            base = tensorflow_serving.as_base(base, served.version, pathlib.Path(scratch))
        asked = tensorflow_serving.command(found, base.resolve(), name, host, ports)
        what = 'in docker' if found.is_docker else found.program
        progress_display.say(console, f'TensorFlow Serving ({what}) on {base}')
        if not found.is_docker:
            progress_display.say(console, ('it listens on every address of this machine', 'yellow'))
        address = f'http://{process.LOOPBACK}:{ports.rest}/v1/models/{name}'
        progress_display.say(
            console, 'REST: ', (address, 'bold'), f'   gRPC: {process.LOOPBACK}:{ports.grpc}'
        )
        progress_display.say(console, 'Ctrl-C ends it')
        sys.stdout.flush()
        return _passed_on(asked)


def _passed_on(command: list[str]) -> int:
    """Runs a program that writes where we do and hears of our signals; returns the exit code."""
    child: subprocess.Popen[bytes] | None = None
    asked_to_stop = False

    def stop(number: int, frame: object) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True
        if child is not None:
            # Ctrl-C reaches the whole group of a terminal; a kill reaches us alone.
            child.send_signal(signal.SIGTERM)

    # Before the child is there: none may be left behind.
    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        with subprocess.Popen(command) as child:
            if asked_to_stop:
                child.send_signal(signal.SIGTERM)
            code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0 if code in _ENDED_BY_SIGNAL else code


def _free_port() -> int:
    with socket.socket() as made:
        made.bind((process.LOOPBACK, 0))
        port: int = made.getsockname()[1]
        return port


def _log(project: Project) -> pathlib.Path:
    """With the project's other logs, where it has had a run."""
    folder = project.logs if project.output.is_dir() else pathlib.Path(tempfile.gettempdir())
    return folder / f'serve-{time.strftime("%Y%m%d-%H%M%S")}-{os.getpid()}.log'
