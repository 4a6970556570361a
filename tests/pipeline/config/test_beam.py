"""Settings of the engines: what is refused, and why."""

from __future__ import annotations

import pytest

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config import beam as beam_config
from thawline.pipeline.config import loading
from thawline.pipeline.config.beam import Beam

PROJECT = 'name: stones\ndata: {source: images}\n'


def parsed(beam: str) -> Beam:
    return loading.parse(f'{PROJECT}beam: {beam}\n', 'thawline.yaml').beam


def test_nothing_is_needed():
    beam = loading.parse(PROJECT, 'thawline.yaml').beam
    assert (beam.engine, beam.workers, beam.options) == ('local', 'auto', ())


@pytest.mark.parametrize('engine', ['dask', 'DaskRunner', 'ray', 'pyspark', 'beam-pyspark-runner'])
def test_engines_that_lose_data_are_refused_with_that_reason(engine):
    with pytest.raises(ConfigError, match='loses data silently.*use one of local') as error:
        parsed(f'{{engine: {engine}}}')
    assert f"'{engine}'" in str(error.value)  # what was received
    with pytest.raises(ConfigError, match='loses data silently'):
        beam_config.with_engine(Beam(), engine)


def test_an_unknown_engine_lists_the_known_ones():
    with pytest.raises(ConfigError, match='use one of local, multiprocess, portable, flink'):
        parsed('{engine: hadoop}')
    with pytest.raises(ConfigError, match="--engine: use one of local.*Received: 'hadoop'"):
        beam_config.with_engine(Beam(), 'hadoop')


@pytest.mark.parametrize(
    ('beam', 'message'),
    [
        ('{engine: flink}', 'needs flink.job_server.*or job_endpoint'),
        ('{engine: spark}', 'needs spark.job_server'),
        ('{engine: dataflow}', 'needs the section dataflow'),
        ('{flink: {master: "cluster"}}', 'must be host:port'),
        ('{spark: {master: "cluster:7077"}}', 'must be spark://host:port'),
        ('{spark: {master: "spark://cluster"}}', 'or local.2'),
        ('{job_endpoint: "localhost:99999"}', 'must be host:port'),
        ('{flink: {version: "1.14"}}', 'beam.flink.version'),
        ('{workers: 0}', 'beam.workers'),
        ('{options: ["--direct_num_workers=4"]}', 'set beam.workers instead'),
        ('{options: ["--runner=FlinkRunner"]}', 'set beam.engine instead'),
        ('{options: ["--runner=DaskRunner"]}', 'loses data silently'),
        ('{options: ["parallelism"]}', 'write --name=value'),
        ('{dataflow: {project: p, region: r, temp_location: /tmp, container: c}}', 'temp_location'),
    ],
)
def test_what_cannot_work_is_said_before_anything_runs(beam, message):
    with pytest.raises(ConfigError, match=message):
        parsed(beam)


def test_the_prompt_decides_over_the_file_and_is_checked_alike():
    beam = parsed('{engine: flink, workers: 3, job_endpoint: "localhost:8099"}')
    local = beam_config.with_engine(beam, 'local')
    assert (local.engine, local.workers) == ('local', 3)
    with pytest.raises(ConfigError, match='--engine: engine flink needs flink.job_server'):
        beam_config.with_engine(Beam(), 'flink')


def test_cores_bound_what_is_on_this_machine():
    assert Beam(engine='portable', max_workers=7).worker_limit == 7
    assert Beam(engine='multiprocess').worker_limit >= 1
    assert Beam(engine='flink', job_endpoint='localhost:1').worker_limit == 16


@pytest.mark.parametrize('master', ['local', 'local[4]', 'local[*]', 'spark://cluster:7077'])
def test_spark_runs_in_its_job_server_or_on_a_cluster(master):
    spark = parsed(f'{{spark: {{master: "{master}"}}}}').spark
    assert spark.address == (None if master.startswith('local') else 'cluster:7077')
