"""TensorFlow Serving: finds it on this machine and starts it on a folder of versions."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator

from thawline.components.shared import parent_death
from thawline.pipeline.server.model_choice import ServedModel, ServeOptions
from thawline.pipeline.server.python_server import LOOPBACK
from thawline.pipeline.system.ports import free_port

BINARY = 'tensorflow_model_server'
# The last release of the server; TensorFlow 2.21's SavedModels load in it.
IMAGE = 'tensorflow/serving:2.19.1'
_DAEMON_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class Installation:
    """How to start it.

    Attributes:
        program: path of the binary, or of docker.
        is_docker: whether the program is docker.
    """

    program: str
    is_docker: bool


@dataclasses.dataclass(frozen=True)
class Ports:
    rest: int
    grpc: int


def find_installation() -> tuple[Installation | None, str]:
    """The installation on this machine; None with the reason where there is none."""
    binary = shutil.which(BINARY)
    if binary:
        return Installation(binary, False), ''
    docker = shutil.which('docker')
    if docker is None:
        return None, f'found neither {BINARY} nor docker'
    version_command = [docker, 'version', '--format', '{{.Server.Version}}']
    try:
        daemon = subprocess.run(
            version_command, capture_output=True, text=True, timeout=_DAEMON_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None, f'found no {BINARY}, and docker does not answer'
    if daemon.returncode:
        return None, f'found no {BINARY}, and the docker daemon is not running'
    return Installation(docker, True), ''


def command_line(
    installation: Installation,
    base: pathlib.Path,
    name: str,
    host: str,
    ports: Ports,
    image: str = IMAGE,
) -> list[str]:
    """The command line that serves the highest version in a folder.

    Args:
        installation: what to start.
        base: folder of versions.
        name: of the model.
        host: the address to listen on; the binary by itself listens on every one.
        ports: of both interfaces.
        image: for docker.
    """
    if not installation.is_docker:
        return [
            installation.program, f'--port={ports.grpc}', f'--rest_api_port={ports.rest}',
            f'--model_name={name}', f'--model_base_path={base}',
        ]  # fmt: skip
    address = f'[{host}]' if ':' in host else host
    return [
        installation.program, 'run', '--rm', '--init',
        '--publish', f'{address}:{ports.grpc}:8500', '--publish', f'{address}:{ports.rest}:8501',
        '--mount', f'type=bind,source={base},target=/models/{name},readonly',
        '--env', f'MODEL_NAME={name}', image,
    ]  # fmt: skip


def link_as_version(model: pathlib.Path, version: int, folder: pathlib.Path) -> pathlib.Path:
    """Makes a folder of versions with one model, inside `folder`, by hard links.

    A symbolic link would not resolve inside a container; files that cannot be linked are copied.
    """
    base = folder / 'models'
    shutil.copytree(model, base / str(version), copy_function=_link_or_copy)
    return base


def _link_or_copy(source: str, target: str) -> None:
    try:
        pathlib.Path(target).hardlink_to(pathlib.Path(source).resolve())
    except OSError:
        shutil.copy2(source, target)


_ENDED_BY_SIGNAL = (-signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGTERM)


@dataclasses.dataclass(frozen=True)
class PreparedServer:
    """What is about to serve: its command line, the folder of versions, the ports."""

    command: list[str]
    folder: pathlib.Path
    ports: Ports

    def run(self) -> int:
        """Serves until it is stopped; returns the exit code."""
        return _run_in_foreground(self.command)


@contextlib.contextmanager
def prepare(
    installation: Installation, served: ServedModel, name: str, options: ServeOptions
) -> Iterator[PreparedServer]:
    """A server that can run in the block."""
    host = options.host or LOOPBACK
    ports = Ports(
        *((free_port(), free_port()) if options.port == 0 else (options.port, options.grpc_port))
    )
    with tempfile.TemporaryDirectory() as scratch:
        base = served.folder
        if served.version is not None:
            base = link_as_version(base, served.version, pathlib.Path(scratch))
        command = command_line(installation, base.resolve(), name, host, ports)
        yield PreparedServer(command, base, ports)


def _run_in_foreground(command: list[str]) -> int:
    """Runs a program with our output and our signals; returns its exit code."""
    child: subprocess.Popen[bytes] | None = None
    stopping = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = True
        if child is not None:
            # Ctrl-C reaches the whole process group; `kill` reaches us alone.
            child.send_signal(signal.SIGTERM)

    # Before the child starts, so that none is left behind.
    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        with subprocess.Popen(parent_death.command(command)) as child:
            if stopping:
                child.send_signal(signal.SIGTERM)
            code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0 if code in _ENDED_BY_SIGNAL else code
