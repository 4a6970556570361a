"""`thawline run-node` as schedulers call it: lines, log and exit codes, on nodes that do little."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests import fork_server
from tests.pipeline.runners import tiny_nodes
from thawline import ROOT
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.metadata import runs
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.runners import compiled_file, run_nodes
from thawline.pipeline.system import file_locks
from thawline.pipeline.system.ports import free_port
from thawline.pipeline.terminal import progress_display


class Called:
    """Calls the command in this process."""

    def __init__(self, home: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.home, self._capfd = home, capfd
        self.project = tiny_nodes.made(home)

    def __call__(self, *nodes: str, run_id: str = 'r1', force: bool = False) -> tuple[int, str]:
        outcome = run_nodes.execute(self.home / compiled_file.FILE, nodes, run_id, force)
        return outcome, self._capfd.readouterr().out

    def log(self, name: str) -> str:
        return (self.project.logs / name).read_text('utf-8')

    def states(self) -> dict[str, str]:
        (run,) = runs.read_runs(opening.find_store(self.project), 'tiny')
        return {node.node: node.state for node in run.nodes}


@pytest.fixture
def call(tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> Called:
    tiny_nodes.written(tmp_path)
    capfd.readouterr()
    return Called(tmp_path, capfd)


def test_plain_lines_a_log_and_success(call):
    code, said = call('Two', 'One')
    assert code == 0
    assert said.startswith(f'tiny  run r1  in {call.project.output}\n  log     ')
    assert re.search(r'> One\n✓ One +[\d.]+ s.*\n> Two\n✓ Two +[\d.]+ s', said), said
    assert '\x1b' not in said and '\r' not in said
    (path,) = re.findall(r'log +(\S+)', said)
    assert path == str(call.project.logs / 'r1-One..Two.log')
    code, said = call('Two')
    assert code == 0 and re.search(r'^✓ Two +complete', said, re.M)
    assert '> Two' not in said


def test_missing_inputs_are_another_code_than_failure(call, monkeypatch):
    code, said = call('Three')
    assert code == 5
    assert '✗ Three' in said
    assert 'error: Three did not run: its inputs are missing: One did not run; Two did' in said
    monkeypatch.setenv(tiny_nodes.FAIL, 'Two')
    code, said = call('One', 'Two', 'Three')
    assert code == 1
    assert '✓ One' in said and '✗ Two' in said and '> Three' not in said
    assert 'error: Two failed: Two was told to fail (ValueError)' in said
    assert 'Traceback' not in said
    assert call.states() == {'One': 'complete', 'Two': 'failed'}
    monkeypatch.setenv(tiny_nodes.FAIL, 'data Two')
    code, said = call('Two')
    assert code == 4 and 'error: two images are too few' in said
    monkeypatch.delenv(tiny_nodes.FAIL)
    assert call('Two', 'Three')[0] == 0


def test_force_runs_a_complete_node_again(call):
    call('One')
    code, said = call('One', force=True)
    assert code == 0 and '> One' in said and 'cached' not in said
    assert len(list((call.project.artifacts / 'One' / 'made').iterdir())) == 2


def test_a_stop_on_request_has_its_code_and_can_be_taken_up(call, monkeypatch):
    call('One')
    monkeypatch.setenv(tiny_nodes.WAIT, '30')

    def stop() -> None:
        while 'Two' not in call.states():
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)

    stopping = threading.Thread(target=stop)
    stopping.start()
    code, said = call('Two')
    stopping.join()
    assert code == 130 and 'stopped on request' in said
    assert call.states()['Two'] == 'canceled'
    monkeypatch.setenv(tiny_nodes.WAIT, '0')
    assert call('Two')[0] == 0
    assert call.states()['Two'] == 'complete'


def test_a_local_run_under_way_is_waited_for_by_trying_again(call):
    with file_locks.lock(call.project.run_lock, '4711'):
        code, said = call('One')
    assert code == 6
    under_way = 'thawline run is under way in this project (process 4711); try again'
    assert f'error: One did not run: {under_way}' in said
    again = re.search(r'next +thawline run-node --ir \S+ --node One --run-id \S+ +(.+)', said)
    assert again is not None and again[1] == 'again, once the other process has ended'
    with file_locks.lock(call.project.run_lock, '4712', shared=True):
        assert call('One')[0] == 0, 'other nodes are no hindrance'


def test_a_database_that_does_not_answer_has_a_code_of_its_own(call):
    database = f'{{host: 127.0.0.1, port: {free_port()}, database: d, user: u}}'
    tiny_nodes.written(call.home, rest=f'metadata: {{postgresql: {database}}}\n')
    code, output = call('One')
    assert code == 7 and 'Connection refused' in output
    assert not call.project.artifacts.exists()


def test_bad_configuration_is_found_before_anything_runs(call, monkeypatch):
    with pytest.raises(NotFound, match="no node 'Four'; there are: One, Two, Three"):
        call('Four')
    for run_id in ('', '-x', 'a b', 'a/b', '../x', 'x' * 129, 'ä'):
        with pytest.raises(ConfigError, match='--run-id: received'):
            call('One', run_id=run_id)
    with pytest.raises(ConfigError, match='at least one node'):
        call()
    call.project.schema.write_text('feature {\n', 'utf-8')
    code, said = call('One')
    assert code == 2 and f'{call.project.schema}:1' in said
    call.project.schema.write_text('feature { name: "x" }  # after it was compiled', 'utf-8')
    code, said = call('One')
    assert code == 2 and 'has changed since the pipeline was compiled' in said
    call.project.schema.unlink()
    target = 'notifications: [{webhook_env: THAWLINE_TEST_URL}]\n'
    tiny_nodes.written(call.home, rest=target)
    monkeypatch.delenv('THAWLINE_TEST_URL', raising=False)
    code, said = call('One')
    assert code == 2 and 'THAWLINE_TEST_URL' in said
    assert not call.project.artifacts.exists()


def test_a_folder_that_is_not_here_or_cannot_be_written_says_so(call):
    call.project.output.parent.mkdir()
    call.project.output.touch()
    with pytest.raises(ConfigError, match=r'logs/r1-One.log cannot be written: Not a directory'):
        call('One')
    call.project.output.unlink()
    there = call.home.with_name('moved')
    call.home.rename(there)
    with pytest.raises(NotFound, match=f'in {call.home}, which does not exist'):
        run_nodes.execute(there / compiled_file.FILE, ['One'], 'r1', False)
    assert not call.home.exists()


def test_long_work_gives_a_sign_of_life_now_and_then(call, monkeypatch):
    monkeypatch.setattr(progress_display, '_QUIET_SECONDS', 0.5)
    monkeypatch.setenv(tiny_nodes.WAIT, '2.3')
    _, said = call('One')
    told = re.findall(r'^  One: .*\d s$', said, re.M)
    assert told and len(told) < 30, said


def thawline(*arguments: str, cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*fork_server.command(), *arguments],
        cwd=cwd, env={**os.environ, 'PYTHONPATH': str(ROOT), 'COLUMNS': '200'},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_errors_at_the_prompt(call):
    done = thawline('run-node', '--ir', 'none.json', '--node', 'A', '--run-id', 'r', cwd=call.home)
    assert done.returncode == 2
    assert done.stderr.startswith('error: no file none.json; create it with: thawline compile')
    (call.home / compiled_file.FILE).write_text('{}', 'utf-8')
    done = thawline(
        'run-node', '--ir', compiled_file.FILE, '--node', 'A', '--run-id', 'r', cwd=call.home
    )
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    assert 'not written by thawline compile' in done.stderr
    done = thawline('run-node', '--help', cwd=call.home)
    for code in (*range(8), 130):
        assert re.search(rf'^\s+{code} ', done.stdout, re.M)


def in_a_process(call: Called, code: str) -> subprocess.CompletedProcess[str]:
    """Runs code that knows `call(*nodes, run='r1')`, which returns the exit code."""
    before = (
        'import pathlib, sys; from thawline.pipeline.runners import run_nodes; '
        "path = pathlib.Path('pipeline.json'); "
        "call = lambda *n, run='r1': int(run_nodes.execute(path, n, run, False)); "
    )
    return subprocess.run(
        [sys.executable, '-c', before + code], cwd=call.home,
        env={**os.environ, 'PYTHONPATH': str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_environment_without_tfx_says_so(call):
    done = in_a_process(call, "sys.modules['tfx'] = None; sys.exit(call('One'))")
    assert done.returncode == 2, done.stdout + done.stderr
    assert 'error: this environment lacks packages' in done.stdout
    assert 'thawline doctor' in done.stdout


def test_looking_needs_no_tensorflow(call):
    """What a scheduler asks again and again costs a second, not twenty."""
    call('One', 'Two')
    code = (
        "codes = [call('One', 'Two'), call('Two', run='r2')]; "
        "heavy = {'tensorflow', 'tfx', 'apache_beam', 'keras'} & set(sys.modules); "
        "sys.exit(' '.join(sorted(heavy)) + str(codes))"
    )
    assert in_a_process(call, code).stderr.strip() == '[0, 5]'
    log = call.log('r1-One..Two.log')  # what a handler of the test has not taken for itself
    assert 'sha256:' in log and 'exit code 0' in log and 'exit code 5' not in log
