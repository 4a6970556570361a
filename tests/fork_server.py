"""Commands of the project in forks of one process that has imported TensorFlow and TFX already.

A whole-pipeline test starts `python -m thawline` again and again, and each process imports for six
seconds before it does anything. `command()` gives what to start in its place: a small client
(`fork_client`) that has the same arguments, folder, environment and descriptors, and ends as the
command ends. The server imports and does no more: TensorFlow's threads, devices and sessions begin
in the fork, as they would in a process of its own.

What is about a process itself, such as its imports, its speed or its environment before Python
starts, takes `fresh_command()`; so does one call of each command that whole-pipeline tests make: a
missing import shows in a fresh process alone. Where a variable that is read at import differs from
the server's (`_READ_AT_IMPORT`), the client starts a fresh process by itself.

All workers of pytest-xdist share one server. It ends when the last of them has ended.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import gc
import importlib
import json
import os
import pathlib
import runpy
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from typing import Any

from thawline import ROOT

_CLIENT = pathlib.Path(__file__).with_name('fork_client.py')
# The order of TFX's imports holds: `graph` begins with it. What follows, a run imports later.
_IMPORTS = ('thawline.pipeline.graph', 'thawline.pipeline.cli', 'tests.tiny_base')
_READ_AT_IMPORT = ('PYTHON', 'TF_', 'KERAS_', 'GRPC_', 'OMP_', 'OPENBLAS_', 'CUDA_', 'LD_')
_ENCODING = 'PYTHONIOENCODING'  # read at the start too, and taken over by `_encode_streams`
_LEASE = b'+'
# Where processes that tests start find the server, if they start commands in their turn.
_PLACE = 'THAWLINE_FORK_SERVER'


def fresh_command(module: str = 'thawline') -> list[str]:
    """Starts a module in an interpreter of its own."""
    return [sys.executable, '-m', module]


def command(module: str = 'thawline') -> list[str]:
    """Starts a module in a fork of the server."""
    return [sys.executable, '-I', '-S', str(_CLIENT), str(_place()), module]


def environment(**more: str) -> dict[str, str]:
    """Variables of this process with the checkout importable, a wide terminal and no colours."""
    return {**os.environ, 'PYTHONPATH': str(ROOT), 'NO_COLOR': '1', 'COLUMNS': '200', **more}


@functools.cache
def _place() -> pathlib.Path:
    """The server's socket; starts the server where no other worker has."""
    if _PLACE in os.environ:
        return pathlib.Path(os.environ[_PLACE])
    session = os.environ.get('PYTEST_XDIST_TESTRUNUID') or str(os.getpid())
    folder = pathlib.Path(tempfile.gettempdir(), f'thawline-tests-{os.getuid()}-{session}')
    folder.mkdir(mode=0o700, exist_ok=True)
    place = folder / 'socket'
    with (folder / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _lease(place)
        except OSError:
            place.unlink(missing_ok=True)
            _start(place)
            _lease(place)
    os.environ[_PLACE] = str(place)
    return place


def _start(place: pathlib.Path) -> None:
    # It listens before it has imported anything: clients wait for it.
    with socket.socket(socket.AF_UNIX) as listening, place.with_name('log').open('ab') as log:
        listening.bind(str(place))
        listening.listen(64)
        listening.set_inheritable(True)
        variables = environment()
        # tensorflow_transform sets it where it is imported, as it may have been in this process.
        variables.pop('TF_USE_LEGACY_KERAS', None)
        variables.pop(_ENCODING, None)  # each fork has its own
        # No `Popen`, which would warn that nobody has waited for its end.
        os.posix_spawn(
            sys.executable,
            [*fresh_command('tests.fork_server'), str(listening.fileno())],
            variables,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                *((os.POSIX_SPAWN_DUP2, log.fileno(), number) for number in (1, 2)),
            ],
        )


def _lease(place: pathlib.Path) -> None:
    """Keeps the server running until this process ends."""
    lease = socket.socket(socket.AF_UNIX)
    try:
        lease.connect(str(place))
        lease.sendall(_LEASE)
    except OSError:
        lease.close()
        raise
    atexit.register(lease.close)


class _Server:
    """Forks for each request, until nobody is there that could make one."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._selector = selectors.DefaultSelector()
        self._before = dict(os.environ)
        self._leases = 0
        self._running = 0

    def prepare(self) -> None:
        """Imports what the commands do."""
        # Ctrl-C at the terminal is for the tests; the server ends when they have.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for name in _IMPORTS:
            importlib.import_module(name)
        gc.collect()
        gc.freeze()  # else a collection in a fork would copy every page
        self._listening.setblocking(True)
        self._selector.register(self._listening, selectors.EVENT_READ, self._accept)

    def serve(self) -> None:
        """Returns when all leases and forks have ended."""
        self._accept()  # the lease of whoever has started it
        while self._leases or self._running:
            for key, _ in self._selector.select():
                key.data()

    def _accept(self) -> None:
        connection, _ = self._listening.accept()
        kind, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
        if kind == _LEASE:
            self._leases += 1
            end = functools.partial(self._end_lease, connection)
            self._selector.register(connection, selectors.EVENT_READ, end)
        else:
            with connection.makefile() as lines:
                line = lines.readline()
            request = json.loads(line) if line else None  # None: it was killed
            if request and self._stands_in(request['environment']):
                self._fork(connection, descriptors, request)
            else:
                connection.close()
        for descriptor in descriptors:
            os.close(descriptor)

    def _stands_in(self, variables: Mapping[str, str]) -> bool:
        """Whether a process with these variables would have imported the same as this one."""
        read = {name for name in {*variables, *os.environ} if name.startswith(_READ_AT_IMPORT)}
        code = variables.get('PYTHONPATH', '').split(os.pathsep)[0]
        # The interpreter takes an empty variable for none.
        return code == str(ROOT) and all(
            (variables.get(name) or None) in (self._before.get(name), os.environ.get(name))
            for name in read - {'PYTHONPATH', _ENCODING}
        )

    def _end_lease(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()
        self._leases -= 1

    def _fork(
        self, connection: socket.socket, descriptors: list[int], request: Mapping[str, Any]
    ) -> None:
        signals = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        pid = os.fork()
        if not pid:
            for key in list(self._selector.get_map().values()):
                os.close(key.fd)
            self._selector.close()
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
            for descriptor in (*descriptors, connection.detach()):
                os.close(descriptor)
            _become(request, self._imported())
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, signals)
            _run(request['module'])
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        with contextlib.suppress(OSError):  # it was killed, and is so below
            connection.sendall(f'{pid}\n'.encode())
        process = os.pidfd_open(pid)
        self._running += 1
        ended = functools.partial(self._end, pid, process, connection)
        self._selector.register(process, selectors.EVENT_READ, ended)
        # It says nothing any more: to be readable, its other end must be closed.
        kill = functools.partial(self._kill, pid, connection)
        self._selector.register(connection, selectors.EVENT_READ, kill)

    def _imported(self) -> dict[str, str]:
        """Variables that modules set when they were imported."""
        return {k: v for k, v in os.environ.items() if self._before.get(k) != v}

    def _kill(self, pid: int, connection: socket.socket) -> None:
        if connection.fileno() == -1:
            return  # it ended a moment before
        self._selector.unregister(connection)
        os.kill(pid, signal.SIGKILL)

    def _end(self, pid: int, process: int, connection: socket.socket) -> None:
        self._running -= 1
        self._selector.unregister(process)
        os.close(process)
        with contextlib.suppress(KeyError):
            self._selector.unregister(connection)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(OSError):
            connection.sendall(f'{status}\n'.encode())
        connection.close()


def _become(request: Mapping[str, Any], imported: Mapping[str, str]) -> None:
    """Makes this fork what a process with these arguments would be after its imports."""
    os.umask(request['umask'])
    os.chdir(request['folder'])
    os.environ.clear()
    os.environ.update({**imported, **request['environment']})
    # Its first two are the folder where it was started and the server's PYTHONPATH.
    sys.path[:2] = [os.getcwd(), *os.environ['PYTHONPATH'].split(os.pathsep)]
    sys.argv[1:] = request['arguments']
    _encode_streams(os.environ.get(_ENCODING, ''))
    tempfile.tempdir = None  # which the server may have asked for under its own TMPDIR


def _encode_streams(wanted: str) -> None:
    """Gives the standard streams the encoding that the interpreter would give them at its start."""
    encoding, _, errors = wanted.partition(':')
    if not wanted:
        return
    # Made anew, as those that are there remember that the server's are files.
    of = functools.partial(open, encoding=encoding or sys.stdout.encoding, closefd=False)
    sys.stdin = of(0, errors=errors or 'strict')
    sys.stdout = of(1, 'w', 1 if os.isatty(1) else -1, errors=errors or 'strict')
    sys.stderr = of(2, 'w', 1, errors='backslashreplace')


def _run(module: str) -> None:
    """Runs a module as `python -m` does and ends the process.

    But for the end of the interpreter, in which TensorFlow's modules are taken down one by one.
    """
    code: object = 0
    try:
        runpy.run_module(module, run_name='__main__', alter_sys=True)
    except SystemExit as ended:
        code = ended.code
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # noqa: BLE001 - as the interpreter
        traceback.print_exc()
        code = 1
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def main() -> None:
    """Serves on the socket whose descriptor is given."""
    listening = socket.socket(fileno=int(sys.argv[1]))
    server = _Server(listening)
    server.prepare()
    server.serve()
    shutil.rmtree(pathlib.Path(listening.getsockname()).parent, ignore_errors=True)
    os._exit(0)  # without the modules' end, which takes seconds


if __name__ == '__main__':
    main()
