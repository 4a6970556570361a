"""A pool whose code or libraries are not those of the run starts no worker for it."""

from __future__ import annotations

import pathlib

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.beam import Beam
from thawline.pipeline.engines import worker_code, worker_errors, worker_pool
from thawline.pipeline.engines.engine import Engine
from thawline.pipeline.system import ports


def test_run_ends_with_what_to_do(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a real job server, which asks a real pool."""
    with monkeypatch.context() as patched:
        patched.setattr(worker_code.code_digest, 'of_all_code', lambda: 'older')
        front = worker_pool.Front(0)
        older = worker_code.digest()
    address = f'localhost:{ports.free_port()}'
    server = worker_pool.serve(front, int(address.rpartition(':')[2]), '127.0.0.1')
    settings = Beam(engine='portable', workers=1, worker_pool=address)
    try:
        with Engine(settings, 'stones', tmp_path, tmp_path) as engine:
            placed = engine.place('Embedder', 0.0, '1')
            root = beam.Pipeline(options=PipelineOptions(list(placed.options)))
            root | beam.Create([1]) | beam.Map(str)
            with pytest.raises(ConfigError) as error, engine.supervise(placed):
                root.run().wait_until_finish()
    finally:
        server.stop(None)
    assert older in str(error.value) and worker_code.digest() in str(error.value)
    assert 'thawline workers' in str(error.value)


def test_same_code_and_requests_of_others_are_served() -> None:
    own = worker_code.digest()
    assert worker_code.refusal({worker_code.PARAMETER: own}, own) == ''
    assert worker_code.refusal({}, own) == ''
    refused = worker_code.refusal({worker_code.PARAMETER: 'other'}, own)
    assert isinstance(worker_errors.user_error(RuntimeError(f'Error: {refused}')), ConfigError)


def test_digest_changes_with_code_and_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {worker_code.digest()}
    for name, value in (('of_all_code', 'edited'), ('all_library_versions', {'keras': '4'})):
        with monkeypatch.context() as patched:
            patched.setattr(worker_code.code_digest, name, lambda value=value: value)
            digests.add(worker_code.digest())
    assert len(digests) == 3
