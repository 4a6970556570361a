"""TensorFlow Serving itself: whether it is here, and how it is started on a folder of versions."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import rich.console

from thawline.pipeline.server import python_server, tensorflow_serving
from thawline.pipeline.server.model_choice import Options, Target
from thawline.pipeline.system.ports import free_port
from thawline.pipeline.terminal.console import say

BINARY = 'tensorflow_model_server'
# The last release of the server; TensorFlow 2.21's SavedModels load in it.
IMAGE = 'tensorflow/serving:2.19.1'
_DAEMON_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class Found:
    """What can be started here.

    Attributes:
        program: path of the binary, or of docker.
        is_docker: whether it is the latter.
    """

    program: str
    is_docker: bool


@dataclasses.dataclass(frozen=True)
class Ports:
    """Where the server listens."""

    rest: int
    grpc: int


def find() -> tuple[Found | None, str]:
    """What can be started here, and where it is nothing, why not."""
    binary = shutil.which(BINARY)
    if binary:
        return Found(binary, False), ''
    docker = shutil.which('docker')
    if docker is None:
        return None, f'there is no {BINARY} and no docker here'
    asked = [docker, 'version', '--format', '{{.Server.Version}}']
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=_DAEMON_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None, f'there is no {BINARY} here, and docker does not answer'
    if told.returncode:
        return None, f'there is no {BINARY} here, and docker has no daemon to run it'
    return Found(docker, True), ''


def command(
    found: Found, base: pathlib.Path, name: str, host: str, ports: Ports, image: str = IMAGE
) -> list[str]:
    """The command line that serves the highest version in a folder.

    Args:
        found: what is started.
        base: folder of versions.
        name: of the model.
        host: the address to listen on; the binary by itself listens on every one.
        ports: of both interfaces.
        image: of docker.
    """
    if not found.is_docker:
        return [
            found.program, f'--port={ports.grpc}', f'--rest_api_port={ports.rest}',
            f'--model_name={name}', f'--model_base_path={base}',
        ]  # fmt: skip
    address = f'[{host}]' if ':' in host else host
    return [
        found.program, 'run', '--rm', '--init',
        '--publish', f'{address}:{ports.grpc}:8500', '--publish', f'{address}:{ports.rest}:8501',
        '--mount', f'type=bind,source={base},target=/models/{name},readonly',
        '--env', f'MODEL_NAME={name}', image,
    ]  # fmt: skip


def as_base(model: pathlib.Path, version: int, folder: pathlib.Path) -> pathlib.Path:
    """A folder of versions that holds one model alone, made in `folder` by hard links.

    A link to the folder would not be seen inside a container; where the files cannot be linked
    they are copied.
    """
    base = folder / 'models'
    shutil.copytree(model, base / str(version), copy_function=_link)
    return base


def _link(source: str, target: str) -> None:
    try:
        pathlib.Path(target).hardlink_to(pathlib.Path(source).resolve())
    except OSError:
        shutil.copy2(source, target)


_ENDED_BY_SIGNAL = (-signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGTERM)


def _run_tensorflow_serving(
    found: tensorflow_serving.Found,
    served: Target,
    name: str,
    options: Options,
    console: rich.console.Console,
) -> int:
    host = options.host or python_server.LOOPBACK
    ports = tensorflow_serving.Ports(
        *((free_port(), free_port()) if options.port == 0 else (options.port, options.grpc_port))
    )
    with tempfile.TemporaryDirectory() as scratch:
        base = served.folder
        if served.version is not None:
            base = tensorflow_serving.as_base(base, served.version, pathlib.Path(scratch))
        asked = tensorflow_serving.command(found, base.resolve(), name, host, ports)
        what = 'in docker' if found.is_docker else found.program
        say(console, f'TensorFlow Serving ({what}) on {base}')
        if not found.is_docker:
            say(console, ('it listens on every address of this machine', 'yellow'))
        address = f'http://{python_server.LOOPBACK}:{ports.rest}/v1/models/{name}'
        say(console, 'REST: ', (address, 'bold'), f'   gRPC: {python_server.LOOPBACK}:{ports.grpc}')
        say(console, 'Ctrl-C ends it')
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
