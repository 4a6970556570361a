"""A command in a fork of the server is, from outside, a process of its own."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import time
from concurrent import futures
from typing import Any

import pytest

from tests import fork_server

ODD = 'tests.odd_process'


def ended(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*fork_server.command(ODD), *arguments],
        **{'env': fork_server.environment(), 'input': '', **options},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def started(*arguments: str) -> tuple[subprocess.Popen[str], int]:
    """A process that waits, and the process id that it says it has."""
    process = subprocess.Popen(
        [*fork_server.command(ODD), *arguments], env=fork_server.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_has_arguments_folder_variables_and_input_of_its_own(tmp_path: pathlib.Path) -> None:
    odd = 'a \'b\' "c" \n é {}'
    variables = fork_server.environment(ODD=odd, TMPDIR=str(tmp_path))
    variables.pop('TF_USE_LEGACY_KERAS', None)
    done = ended(
        'self', odd, '', '-x', env=variables, cwd=tmp_path, input='some\nlines', umask=0o027
    )
    assert (done.returncode, done.stderr) == (0, '')
    line, end = done.stdout.splitlines()
    assert end == 'the end'
    told = json.loads(line)
    assert told.pop('descriptors')[:3] == [0, 1, 2]
    assert len(told.pop('streams')) == 3
    assert told == {
        'arguments': [odd, '', '-x'],
        'program': True,
        'folder': str(tmp_path),
        'path': str(tmp_path),
        # What tensorflow_transform sets where it is imported.
        'variables': {'ODD': odd, 'TF_USE_LEGACY_KERAS': '1'},
        'forked': True,
        'threads': 1,
        'input': 'some\nlines',
        'umask': 0o027,
        'temporary': str(tmp_path),
    }


def test_no_descriptor_of_others_is_open_in_it() -> None:
    process, _ = started('wait')
    try:
        alone, beside = (
            json.loads(ended('self').stdout.splitlines()[0])['descriptors'] for _ in range(2)
        )
    finally:
        process.kill()
        process.communicate()
    assert alone == beside == json.loads(ended('self').stdout.splitlines()[0])['descriptors']


def test_exit_codes_and_errors() -> None:
    for code in ('0', '1', '130'):
        assert ended('code', code).returncode == int(code)
    done = ended('words')
    assert (done.returncode, done.stderr) == (1, 'it ended with words\n')
    done = ended('wrong')
    assert done.returncode == 1
    assert 'Traceback' in done.stderr and done.stderr.endswith('ValueError: it is wrong\n')
    assert ended('crash').returncode == -signal.SIGSEGV


@pytest.mark.parametrize(
    ('what', 'number', 'code'),
    [
        ('wait', signal.SIGTERM, -signal.SIGTERM),
        ('wait', signal.SIGINT, -signal.SIGINT),
        ('listen', signal.SIGTERM, 7),
    ],
)
def test_signals_reach_it(what: str, number: signal.Signals, code: int) -> None:
    process, _ = started(what)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code, output
    assert ('KeyboardInterrupt' in output) is (number == signal.SIGINT)


def test_a_kill_ends_it() -> None:
    process, pid = started('listen')
    assert is_alive(pid)
    process.kill()
    process.communicate(timeout=60)  # until nobody has its output open any more
    end = time.monotonic() + 60
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert process.returncode == -signal.SIGKILL and not is_alive(pid)


def test_many_at_once() -> None:
    with futures.ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(lambda i: ended('code', str(i)).returncode, range(24)))
    assert codes == list(range(24))


@pytest.mark.parametrize(
    'variables', [{'PYTHONHASHSEED': '7'}, {'PYTHONPATH': ''}, {'TF_ENABLE_ONEDNN_OPTS': '0'}]
)
def test_what_is_read_at_import_asks_for_a_fresh_process(variables: dict[str, str]) -> None:
    done = ended('self', env=fork_server.environment(**variables), cwd=fork_server.ROOT)
    assert json.loads(done.stdout.splitlines()[0])['forked'] is False


@pytest.mark.parametrize('encoding', ['ascii', 'latin-1:replace', ':ignore'])
def test_streams_are_encoded_as_in_a_fresh_process(encoding: str) -> None:
    variables = fork_server.environment(PYTHONIOENCODING=encoding)
    forked = json.loads(ended('self', env=variables).stdout.splitlines()[0])
    fresh = subprocess.run(
        [*fork_server.fresh_command(ODD), 'self'],
        env=variables, input='', capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (
        forked['forked']
        and forked['streams'] != json.loads(ended('self').stdout.splitlines()[0])['streams']
    )
    assert forked['streams'] == json.loads(fresh.stdout.splitlines()[0])['streams']


def test_without_a_server_it_is_a_fresh_process(tmp_path: pathlib.Path) -> None:
    command = fork_server.command(ODD)
    command[-2] = str(tmp_path / 'socket')
    done = subprocess.run([*command, 'code', '3'], env=fork_server.environment())
    assert done.returncode == 3
