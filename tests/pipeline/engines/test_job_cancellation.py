"""Jobs at a job server that is not the run's own end with the node, on a real one of Beam's."""

from __future__ import annotations

import pathlib
import threading
import time

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability import local_job_service

from thawline.pipeline.config.beam import Beam
from thawline.pipeline.engines import job_cancellation
from thawline.pipeline.engines.engine import Engine, Placement
from thawline.pipeline.system import ports

# Workers of these jobs are threads of this process.
_GOES_ON = threading.Event()
_STARTED: dict[str, threading.Event] = {}


@pytest.fixture
def job_server(tmp_path: pathlib.Path):
    _GOES_ON.clear()
    server = local_job_service.LocalJobServicer(str(tmp_path / 'staged'))
    yield f'localhost:{server.start_grpc_server(0)}'
    _GOES_ON.set()
    server.stop()


def started(job_server: str, name: str):
    """A job that is at work, and stays there."""
    at_work = threading.Event()
    _STARTED[name] = at_work
    options = PipelineOptions(
        ['--runner=PortableRunner', f'--job_endpoint={job_server}', '--environment_type=LOOPBACK'],
        job_name=name,
    )
    pipeline = beam.Pipeline(options=options)
    _ = pipeline | beam.Create([name]) | beam.Map(_wait)
    result = pipeline.run()
    assert at_work.wait(60)
    return result


def _wait(name: str) -> None:
    _STARTED[name].set()
    _GOES_ON.wait(120)


def state_after(result) -> str:
    deadline = time.monotonic() + 30
    while result.state == 'RUNNING' and time.monotonic() < deadline:
        time.sleep(0.1)
    return result.state


def test_an_interrupted_node_cancels_its_job_and_no_other(job_server, tmp_path):
    mine, other = (started(job_server, name) for name in ('thawline-a-1', 'thawline-b-2'))
    settings = Beam.model_validate({'engine': 'portable', 'job_endpoint': job_server})
    place = Placement((), 1, 'portable, 1 worker', 'thawline-a-1')
    with (
        pytest.raises(KeyboardInterrupt),
        Engine(settings, 'a', tmp_path, tmp_path / 'logs') as engine,
        engine.supervise(place),
    ):
        raise KeyboardInterrupt
    assert state_after(mine) == 'CANCELLED'
    assert other.state == 'RUNNING'
    job_cancellation.cancel(job_server, 'thawline-b-2')
    assert state_after(other) == 'CANCELLED'


def test_a_job_server_that_is_gone_is_logged_in_time(caplog):
    nobody = f'localhost:{ports.free_port()}'
    began = time.monotonic()
    job_cancellation.cancel(nobody, 'thawline-a-1')
    assert time.monotonic() - began < 15
    assert f'thawline-a-1 could not be canceled at {nobody}: UNAVAILABLE' in caplog.text
