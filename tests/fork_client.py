"""What tests start in place of `python -m MODULE`: has it run in a fork of the fork server.

Looks from outside like the command itself: its output is written to this process's own descriptors,
signals are passed on, a kill of this process kills it, and its exit code or signal becomes that of
this process. Where the server is gone, or cannot stand in for a fresh interpreter, it is one.
Imports next to nothing: it is started some hundred times a test run.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import signal
import socket
import sys

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)


def main(place: str, module: str, arguments: list[str]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    try:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.connect(place)
        pid = _ask(server, module, arguments)
    except OSError:
        pid = 0
    if not pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
        os.execv(sys.executable, [sys.executable, '-m', module, *arguments])
    for number in _PASSED_ON:
        signal.signal(number, lambda number, _: _pass_on(pid, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    with server.makefile() as answers:
        status = int(answers.readline() or signal.SIGKILL)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def _pass_on(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _ask(server: socket.socket, module: str, arguments: list[str]) -> int:
    """Process id of the fork; 0 where there is none."""
    umask = os.umask(0)
    os.umask(umask)
    request = {
        'module': module,
        'arguments': arguments,
        'folder': os.getcwd(),
        'environment': dict(os.environ),
        'umask': umask,
    }
    descriptors = array.array('i', (0, 1, 2))
    server.sendmsg([b'!'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
    server.sendall(json.dumps(request).encode() + b'\n')
    answer = b''
    while not answer.endswith(b'\n'):
        more = server.recv(1)
        if not more:
            return 0
        answer += more
    return int(answer)


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
