"""What runs around an engine: absent, broken, and gone with who started it."""

from __future__ import annotations

import http.server
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from apache_beam.portability.api import beam_job_api_pb2_grpc  # noqa: F401 - a run has it by then

from thawline import ROOT
from thawline.components.shared.errors import ConfigError, NotFound, Unavailable
from thawline.pipeline.config.beam import Beam
from thawline.pipeline.engines import health_checks, java, processes
from thawline.pipeline.engines.engine import Engine
from thawline.pipeline.engines.services import Services
from thawline.pipeline.system import ports

SOON = 30.0  # seconds: what an absent service may cost at most


@pytest.fixture
def nobody() -> str:
    """An address where nothing listens."""
    return f'localhost:{ports.free_port()}'


@pytest.fixture
def silent():
    """An address where something listens that never says a word."""
    with socket.socket() as listening:
        listening.bind(('127.0.0.1', 0))
        listening.listen()
        yield f'127.0.0.1:{listening.getsockname()[1]}'


def services(tmp_path: pathlib.Path, **settings: object) -> Services:
    return Services(Beam.model_validate(settings), tmp_path, tmp_path / 'logs')


@pytest.fixture
def hurried(monkeypatch):
    """Waits a second where ten are allowed."""
    assert health_checks.TIMEOUT < SOON
    monkeypatch.setattr(health_checks, 'TIMEOUT', 1.0)


def test_absent_job_server_is_said_soon(tmp_path, nobody, hurried):
    began = time.monotonic()
    with pytest.raises(Unavailable, match=f'beam.job_endpoint: no Beam job server.*{nobody}'):
        services(tmp_path, engine='portable', job_endpoint=nobody).endpoints()
    assert time.monotonic() - began < SOON
    assert not (tmp_path / 'logs').exists()  # nothing was started for it


def test_absent_worker_pool_is_said_soon_and_how_to_start_one(tmp_path, nobody, hurried):
    began = time.monotonic()
    with pytest.raises(Unavailable, match=f'beam.worker_pool: no worker pool answers at {nobody}'):
        services(tmp_path, engine='portable', worker_pool=nobody).endpoints()
    assert time.monotonic() - began < SOON


def test_absent_flink_is_said_at_once(tmp_path, nobody):
    settings = {'engine': 'flink', 'flink': {'master': nobody, 'job_server': 'x.jar'}}
    with pytest.raises(Unavailable, match=f'no Flink cluster answers at {nobody}'):
        services(tmp_path, **settings).endpoints()


def test_absent_spark_is_said_at_once(tmp_path, nobody):
    settings = {'engine': 'spark', 'spark': {'master': f'spark://{nobody}', 'job_server': 'x.jar'}}
    with pytest.raises(Unavailable, match=f'beam.spark.master: no Spark cluster .* {nobody}'):
        services(tmp_path, **settings).endpoints()
    assert not (tmp_path / 'logs').exists()  # nothing was started for it


def test_a_server_that_says_nothing_is_no_hang(silent, hurried):
    for look in (
        health_checks.check_job_server,
        health_checks.check_worker_pool,
        health_checks.flink_slots,
    ):
        with pytest.raises(Unavailable, match=silent):
            look(silent)


@pytest.fixture
def answering():
    """Starts servers that answer to everything with some JSON."""
    servers = []

    def start(answer: bytes) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f'127.0.0.1:{server.server_port}'

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_something_else_than_flink_is_told_from_it(answering):
    with pytest.raises(Unavailable, match='it is not Flink'):
        health_checks.flink_slots(answering(b'{"hello": 1}'))


def test_a_cluster_without_task_managers_is_told_from_one_with(answering):
    with pytest.raises(Unavailable, match='has no TaskManager with a slot'):
        health_checks.flink_slots(answering(b'{"slots-total": 0}'))
    assert health_checks.flink_slots(answering(b'{"slots-total": 3}')) == 3


def test_more_workers_than_slots_are_refused_before_anything_is_started(tmp_path, answering):
    master = answering(b'{"slots-total": 2}')
    settings = {'engine': 'flink', 'workers': 5, 'flink': {'master': master, 'job_server': 'x.jar'}}
    with (
        Engine(Beam.model_validate(settings), 'stones', tmp_path, tmp_path / 'logs') as engine,
        pytest.raises(ConfigError, match='the Flink cluster has 2 slots.*Received: 5'),
    ):
        engine.place('Transform', 0.0, '1')
    assert not (tmp_path / 'logs').exists()


def test_cluster_elsewhere_needs_pools_beside_its_workers(tmp_path):
    settings = {'engine': 'flink', 'job_endpoint': 'a:1', 'flink': {'master': 'cluster.lan:8081'}}
    with pytest.raises(ConfigError, match='thawline workers --port 50000 beside each'):
        services(tmp_path, **settings)._worker_pool()


def test_missing_java_and_missing_jars_are_named(tmp_path, monkeypatch):
    with pytest.raises(NotFound, match=f'there is no file {tmp_path}/none.jar'):
        java.class_path(tmp_path / 'none.jar')
    with pytest.raises(NotFound, match='there is no jar in'):
        java.class_path(tmp_path)
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.delenv('JAVA_HOME', raising=False)
    with pytest.raises(ConfigError, match='there is no java'):
        java.program()


def test_a_service_that_ends_says_what_it_wrote_last(tmp_path):
    program = [sys.executable, '-c', 'print("no room left"); raise SystemExit(7)']
    service = processes.Service('the service', program, tmp_path / 'log')
    with pytest.raises(ConfigError, match=r'(?s)the service ended with code 7: no room left.*log'):
        service.wait_until(lambda: False, SOON)


def test_a_service_that_is_never_ready_is_given_up(tmp_path):
    service = processes.Service('the service', ['sleep', '60'], tmp_path / 'log')
    try:
        with pytest.raises(Unavailable, match='was not ready after 0.3 s: it wrote nothing'):
            service.wait_until(lambda: False, 0.3)
        assert service.is_alive
    finally:
        service.stop()
    assert not service.is_alive


_PARENT = """
import pathlib, sys, time
from thawline.pipeline.engines import processes
service = processes.Service('child', ['sleep', '300'], pathlib.Path(sys.argv[1]))
print(service.pid, flush=True)
time.sleep(300)
"""


def test_a_killed_run_leaves_no_service_behind(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, '-c', _PARENT, str(tmp_path / 'log')],
        env=processes.environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.5)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + SOON
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return (
            'Z' not in pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
        )
    except FileNotFoundError:
        return False


def test_environment_finds_this_python_first():
    variables = processes.environment()
    assert variables['PATH'].split(os.pathsep)[0] == str(pathlib.Path(sys.executable).parent)
    assert str(ROOT) in variables['PYTHONPATH'].split(os.pathsep)


def test_nothing_is_started_for_small_data(tmp_path, nobody):
    settings = {'engine': 'flink', 'job_endpoint': nobody}
    with Engine(Beam.model_validate(settings), 'stones', tmp_path, tmp_path) as engine:
        placement = engine.place('Transform', 5.0, '1')
    assert placement.workers == 0 and '--runner=FnApiRunner' in placement.options
    assert placement.description == 'this process: 5 MB are too few for flink'


def test_a_given_number_of_workers_is_taken_whatever_the_data(tmp_path):
    beam = Beam(engine='multiprocess', workers=2)
    with Engine(beam, 'stones', tmp_path, tmp_path) as engine:
        placement = engine.place('Transform', 0.0, '1')
    assert placement.description == 'multiprocess, 2 workers'
    assert '--direct_num_workers=2' in placement.options
