"""Airflow 3 in an environment of its own on this machine: for the demo and for tests.

Its pages and its REST interface listen on the loopback interface alone (its log servers, on ports
that nobody else has, answer requests alone that it has signed itself). It keeps all in one folder
and is no way to run Airflow for others: `airflow standalone`, SQLite, one user.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import requests

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.system.ports import free_port

LOCK = pathlib.Path(__file__).with_name('airflow-3.lock')
_USER = 'admin'
_START_SECONDS = 600.0
_STOP_SECONDS = 60.0
_AGAIN_SECONDS = (1.0, 2.0, 4.0, 8.0)  # before another try where its SQLite was locked
_ANSWER_SECONDS = 60.0
_PASSED_ON = ('HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'TZ', 'SSL_CERT_FILE')


@dataclasses.dataclass(frozen=True)
class Airflow:
    """An installed Airflow.

    Attributes:
        environment: the virtual environment.
        home: where Airflow keeps its database and logs.
        dags: its folder of DAGs.
    """

    environment: pathlib.Path
    home: pathlib.Path
    dags: pathlib.Path

    def variables(self, **settings: str) -> dict[str, str]:
        """The process environment of its commands; nothing of Python's is passed on.

        Args:
            settings: further settings, as `core__parallelism='2'`.
        """
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        given = {
            'core__dags_folder': str(self.dags),
            'core__load_examples': 'False',
            'usage_data_collection__enabled': 'False',
            **settings,
        }
        return {
            **passed,
            'PATH': f'{self.environment / "bin"}{os.pathsep}{os.environ.get("PATH", os.defpath)}',
            'AIRFLOW_HOME': str(self.home),
            'NO_COLOR': '1',
            **{f'AIRFLOW__{name.upper()}': value for name, value in given.items()},
        }

    def call(self, *arguments: str, timeout: float = 900.0) -> subprocess.CompletedProcess[str]:
        """Runs `airflow` with arguments."""
        return subprocess.run(
            [self.environment / 'bin' / 'airflow', *arguments],
            env=self.variables(), capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip


def install(environment: pathlib.Path, lock: pathlib.Path = LOCK) -> None:
    """Makes the virtual environment from its lock; does nothing where it is that already.

    Raises:
        ConfigError: it cannot be installed.
    """
    stamp = environment / '.complete'
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text('utf-8') == digest:
        return
    beside = pathlib.Path(sys.executable).with_name('uv')
    uv = str(beside) if beside.is_file() else 'uv'
    make = [uv, 'venv', '--quiet', '--clear', '--python', sys.executable, str(environment)]
    fill = [uv, 'pip', 'install', '--quiet', '--require-hashes', '--requirements', str(lock)]
    fill += ['--python', str(environment / 'bin' / 'python')]
    for command in (make, fill):
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except OSError as error:
            raise ConfigError(f'{uv} cannot be run ({error.strerror}); install uv') from error
        if done.returncode:
            raise ConfigError(f'Airflow cannot be installed:\n{done.stderr.strip()}')
    stamp.write_text(digest, 'utf-8')


class Api:
    """Airflow's REST interface, as far as it is needed here."""

    def __init__(self, url: str, password: str) -> None:
        self.url, self.user, self.password = url, _USER, password
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no business on the loopback interface

    def _login(self) -> None:
        given = {'username': self.user, 'password': self.password}
        answer = self._session.post(f'{self.url}/auth/token', json=given, timeout=_ANSWER_SECONDS)
        answer.raise_for_status()
        self._session.headers['Authorization'] = f'Bearer {answer.json()["access_token"]}'

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        """Asks and returns the answer.

        Raises:
            requests.HTTPError: it was refused.
        """
        if 'Authorization' not in self._session.headers:
            self._login()
        for seconds in (*_AGAIN_SECONDS, None):
            try:
                answer = self._session.request(
                    method, f'{self.url}/api/v2/{path}', json=content, timeout=_ANSWER_SECONDS
                )
            except requests.Timeout:  # a busy machine; what it was told it may do all the same
                if seconds is None or method != 'GET':
                    raise
            else:
                if answer.status_code < 500 or seconds is None:
                    break
            time.sleep(seconds)
        if answer.status_code >= 400:
            raise requests.HTTPError(f'{method} {path}: {answer.status_code} {answer.text}')
        return answer.json() if answer.content else None

    def knows(self, dag: str) -> bool:
        """Whether Airflow has read a DAG.

        Raises:
            ConfigError: it could not be imported.
        """
        for error in self.ask('GET', 'importErrors')['import_errors']:
            raise ConfigError(f'Airflow cannot import the DAG:\n{error["stack_trace"]}')
        return any(one['dag_id'] == dag for one in self.ask('GET', 'dags')['dags'])

    def trigger(self, dag: str) -> str:
        """Starts a run of a DAG, which need not be active before; returns the id of the run."""
        self.ask('PATCH', f'dags/{dag}', {'is_paused': False})
        return str(self.ask('POST', f'dags/{dag}/dagRuns', {'logical_date': None})['dag_run_id'])

    def state(self, dag: str, run: str) -> str:
        """State of a run: queued, running, success or failed."""
        return str(self.ask('GET', f'dags/{dag}/dagRuns/{quoted(run)}')['state'])

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        """State of each task of a run, in the order in which they began; '' for none yet."""
        found = self.ask('GET', f'dags/{dag}/dagRuns/{quoted(run)}/taskInstances')
        began = sorted(found['task_instances'], key=lambda one: one['start_date'] or '~')
        return {one['task_id']: one['state'] or '' for one in began}

    def stop(self, dag: str, run: str) -> None:
        """Ends a run; what runs of it is asked to end."""
        self.ask('PATCH', f'dags/{dag}/dagRuns/{quoted(run)}', {'state': 'failed'})


def quoted(run: str) -> str:
    """The id of a run as a part of an address."""
    return urllib.parse.quote(run, safe='')


def report_url(files: str, run: str) -> str:
    """Address of a run's report where the output folder is served."""
    return f'{files}/reports/{quoted(run)}.html'


def wait_until(done: Callable[[], Any], seconds: float, what: str) -> Any:
    """Asks until the answer is true, and returns it.

    Raises:
        TimeoutError: it was not in time.
    """
    end = time.monotonic() + seconds
    while not (found := done()):
        if time.monotonic() > end:
            raise TimeoutError(f'{what}: not within {seconds:.0f} s')
        time.sleep(1)
    return found


@contextlib.contextmanager
def running(airflow: Airflow, port: int, **settings: str) -> Iterator[Api]:
    """Runs Airflow for the time of the block, from when all its parts are there.

    Args:
        airflow: an installed one.
        port: of the loopback interface.
        settings: as of `Airflow.variables`.

    Raises:
        ConfigError: it ended, or was not there in ten minutes.
    """
    url = f'http://127.0.0.1:{port}'
    variables = airflow.variables(
        api__host='127.0.0.1',
        api__port=str(port),
        api__base_url=url,
        api__workers='1',
        core__parallelism='4',
        # Its own 5 s fail tasks that have not begun where the machine is busy with the others.
        workers__execution_api_timeout='60',
        logging__worker_log_server_port=str(free_port()),
        logging__trigger_log_server_port=str(free_port()),
        **settings,
    )
    airflow.home.mkdir(parents=True, exist_ok=True)
    log = airflow.home / 'standalone.log'
    with open(log, 'ab') as output:
        process = subprocess.Popen(
            [airflow.environment / 'bin' / 'airflow', 'standalone'],
            env=variables, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        passwords = airflow.home / 'simple_auth_manager_passwords.json.generated'

        def ready() -> bool:
            if process.poll() is not None:
                raise ConfigError(f'Airflow ended as it started; see {log}')
            return passwords.is_file() and _healthy(url)

        try:
            wait_until(ready, _START_SECONDS, 'Airflow')
        except TimeoutError as error:
            raise ConfigError(
                f'Airflow did not start in {_START_SECONDS:.0f} s; see {log}'
            ) from error
        yield Api(url, json.loads(passwords.read_text('utf-8'))[_USER])
    finally:
        _end(process)


def _healthy(url: str) -> bool:
    try:
        parts = requests.get(f'{url}/api/v2/monitor/health', timeout=10).json()
    except (requests.RequestException, ValueError):
        return False
    wanted = ('metadatabase', 'scheduler', 'dag_processor')
    return all(parts.get(part, {}).get('status') == 'healthy' for part in wanted)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends Airflow and all its parts, which share a process group; tasks end what they run."""
    for number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            os.killpg(process.pid, number)
            wait_until(lambda: not _any_left(process), seconds, 'the end of Airflow')
    process.wait()


def _any_left(process: subprocess.Popen[bytes]) -> bool:
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
