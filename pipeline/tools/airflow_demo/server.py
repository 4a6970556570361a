"""Airflow 3 in an environment of its own on this machine, for the demo and for tests.

Its pages and its REST interface listen on the loopback interface alone (its log servers, on free
ports, answer only requests that it has signed itself). All its files are in one folder. Not for
production: `airflow standalone`, SQLite, one user.
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

from thawline.components.shared.errors import ConfigError, Unavailable
from thawline.pipeline.system.ports import free_port

LOCK = pathlib.Path(__file__).with_name('airflow-3.lock')
_USER = 'admin'
_START_SECONDS = 600.0
_STOP_SECONDS = 60.0
_RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0)  # where its SQLite was locked
_ANSWER_SECONDS = 60.0
_CERTIFICATES = ('/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt')
_PASSED_ON = ('HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'TZ', 'SSL_CERT_FILE')


@dataclasses.dataclass(frozen=True)
class AirflowInstallation:
    """An installed Airflow; `home` is where it keeps its database and logs."""

    environment: pathlib.Path
    home: pathlib.Path
    dags: pathlib.Path

    def variables(self, **settings: str) -> dict[str, str]:
        """Environment variables for its commands, with settings such as `core__parallelism='2'`."""
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        configuration = {
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
            **{f'AIRFLOW__{name.upper()}': value for name, value in configuration.items()},
        }

    def call(self, *arguments: str, timeout: float = 900.0) -> subprocess.CompletedProcess[str]:
        """Runs `airflow` with arguments."""
        return subprocess.run(
            [self.environment / 'bin' / 'airflow', *arguments],
            env=self.variables(), capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip


def install(environment: pathlib.Path, lock: pathlib.Path = LOCK) -> None:
    """Makes the virtual environment from its lock, unless it exists already."""
    stamp = environment / '.complete'
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text('utf-8') == digest:
        return
    own_uv = pathlib.Path(sys.executable).with_name('uv')
    uv = str(own_uv) if own_uv.is_file() else 'uv'
    create = [uv, 'venv', '--quiet', '--clear', '--python', sys.executable, str(environment)]
    fill = [uv, 'pip', 'install', '--quiet', '--require-hashes', '--requirements', str(lock)]
    fill += ['--python', str(environment / 'bin' / 'python')]
    for command in (create, fill):
        try:
            done = subprocess.run(command, env=_uv_variables(), capture_output=True, text=True)
        except OSError as error:
            raise ConfigError(f'{uv} cannot be run ({error.strerror}); install uv') from error
        if done.returncode:
            raise ConfigError(f'Airflow cannot be installed:\n{done.stderr.strip()}')
    stamp.write_text(digest, 'utf-8')


def _uv_variables() -> dict[str, str]:
    """With the system's certificates, as `pipeline/environment/environment.sh` has them."""
    certificates: dict[str, str] = {}
    if any(map(os.path.exists, _CERTIFICATES)):
        certificates = dict.fromkeys(('UV_SYSTEM_CERTS', 'UV_NATIVE_TLS'), '1')
    return {**certificates, **os.environ}


class Api:
    """The part of Airflow's REST interface that is needed here."""

    def __init__(self, url: str, password: str) -> None:
        self.url, self.user, self.password = url, _USER, password
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no business on the loopback interface

    def _login(self) -> None:
        credentials = {'username': self.user, 'password': self.password}
        answer = self._session.post(
            f'{self.url}/auth/token', json=credentials, timeout=_ANSWER_SECONDS
        )
        answer.raise_for_status()
        self._session.headers['Authorization'] = f'Bearer {answer.json()["access_token"]}'

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        if 'Authorization' not in self._session.headers:
            self._login()
        for seconds in (*_RETRY_SECONDS, None):
            try:
                answer = self._session.request(
                    method, f'{self.url}/api/v2/{path}', json=content, timeout=_ANSWER_SECONDS
                )
            except requests.Timeout:  # a busy machine; it may still have done what it was asked
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
        """Whether Airflow has read a DAG; an error if it cannot import it."""
        for error in self.ask('GET', 'importErrors')['import_errors']:
            raise ConfigError(f'Airflow cannot import the DAG:\n{error["stack_trace"]}')
        return any(known['dag_id'] == dag for known in self.ask('GET', 'dags')['dags'])

    def trigger(self, dag: str) -> str:
        """Activates a DAG and starts a run of it; returns the id of the run."""
        self.ask('PATCH', f'dags/{dag}', {'is_paused': False})
        return str(self.ask('POST', f'dags/{dag}/dagRuns', {'logical_date': None})['dag_run_id'])

    def state(self, dag: str, run: str) -> str:
        """State of a run: queued, running, success or failed."""
        return str(self.ask('GET', f'dags/{dag}/dagRuns/{quote(run)}')['state'])

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        """State of each task of a run, in the order in which they began; '' for none yet."""
        answer = self.ask('GET', f'dags/{dag}/dagRuns/{quote(run)}/taskInstances')
        tasks = sorted(answer['task_instances'], key=lambda task: task['start_date'] or '~')
        return {task['task_id']: task['state'] or '' for task in tasks}

    def stop(self, dag: str, run: str) -> None:
        """Ends a run and asks its running tasks to end."""
        self.ask('PATCH', f'dags/{dag}/dagRuns/{quote(run)}', {'state': 'failed'})


def quote(run: str) -> str:
    """The id of a run as a part of an address."""
    return urllib.parse.quote(run, safe='')


def report_url(files: str, run: str) -> str:
    """Address of a run's report where the output folder is served."""
    return f'{files}/reports/{quote(run)}.html'


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Waits until a condition is true, and returns its value."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f'{what}: not within {seconds:.0f} s')
        time.sleep(1)
    return answer


@contextlib.contextmanager
def running(airflow: AirflowInstallation, port: int, **settings: str) -> Iterator[Api]:
    """Runs Airflow for the time of the block, once all its parts are ready."""
    url = f'http://127.0.0.1:{port}'
    variables = airflow.variables(
        api__host='127.0.0.1',
        api__port=str(port),
        api__base_url=url,
        api__workers='1',
        core__parallelism='4',
        # With its own 5 s, tasks fail that have not begun on a busy machine.
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
            raise Unavailable(
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
    required = ('metadatabase', 'scheduler', 'dag_processor')
    return all(parts.get(part, {}).get('status') == 'healthy' for part in required)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends Airflow and all its parts, which share a process group; tasks end their own commands."""
    for number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            os.killpg(process.pid, number)
            wait_until(lambda: not _is_any_left(process), seconds, 'the end of Airflow')
    process.wait()


def _is_any_left(process: subprocess.Popen[bytes]) -> bool:
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
