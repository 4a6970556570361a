"""Beam options of each engine."""

from __future__ import annotations

import re

import hypothesis
import pytest
from hypothesis import strategies as st

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.beam import ENGINES, Beam
from thawline.pipeline.engines import beam_options, worker_count
from thawline.pipeline.engines.beam_options import Endpoints

WHERE = Endpoints('localhost:1', 'localhost:2', 'c0de')
CLOUD = {
    'project': 'p', 'region': 'europe-west1', 'temp_location': 'gs://b/tmp', 'container': 'c:1',
}  # fmt: skip


def beam(engine: str, **more: object) -> Beam:
    needed = {'dataflow': {'dataflow': CLOUD}}.get(engine, {'job_endpoint': WHERE.job_server})
    return Beam.model_validate({'engine': engine, **needed, **more})


@pytest.mark.parametrize('engine', ENGINES)
def test_the_runner_is_always_given_and_own_options_come_last(engine):
    options = beam_options.of_node(beam(engine, options=('--foo=bar',)), 3, WHERE, 'job')
    runners = [option for option in options if option.startswith('--runner=')]
    assert len(runners) == 1 and 'Prism' not in runners[0] and 'Direct' not in runners[0]
    assert options[-1] == '--foo=bar'
    # TFX would pack itself anew for each node without one.
    assert any(option.startswith('--sdk_container_image=') for option in options)


def test_workers_reach_the_engine():
    by_engine = {engine: beam_options.of_node(beam(engine), 5, WHERE, 'job') for engine in ENGINES}
    assert '--direct_num_workers=5' in by_engine['multiprocess']
    assert '--direct_num_workers=5' in by_engine['portable']
    assert '--parallelism=5' in by_engine['flink']
    assert '--max_num_workers=5' in by_engine['dataflow']
    assert not [option for option in by_engine['local'] if '5' in option]


def test_clusters_keep_a_worker_from_one_stage_to_the_next():
    for engine in ENGINES:
        options = beam_options.of_node(beam(engine), 2, WHERE, 'job')
        keeps = any(option.startswith('--environment_cache_millis=') for option in options)
        assert keeps == (engine in ('flink', 'spark')), engine


@pytest.mark.parametrize('engine', ['portable', 'flink', 'spark'])
def test_portable_engines_get_both_addresses(engine):
    options = beam_options.of_node(beam(engine), 1, WHERE, 'job')
    assert '--job_endpoint=localhost:1' in options
    assert '--environment_type=EXTERNAL' in options
    parameters = '{"url": "localhost:2", "params": {"thawline": "c0de"}}'
    assert f'--environment_config={parameters}' in options
    with pytest.raises(ValueError, match='endpoints are missing'):
        beam_options.of_node(beam(engine), 1, None, 'job')


def test_beam_knows_every_option():
    """A mistyped one would be ignored by Beam without a word."""
    from apache_beam.options.pipeline_options import PipelineOptions

    for engine in ('local', 'multiprocess', 'portable', 'dataflow'):
        options = beam_options.of_node(beam(engine), 2, WHERE, 'job')
        known = PipelineOptions(options).get_all_options()
        names = {option.removeprefix('--').split('=')[0] for option in options}
        renamed = {'worker_machine_type': 'machine_type'}
        assert {renamed.get(name, name) for name in names} <= set(known), engine


@hypothesis.given(
    st.from_regex(r'[a-z0-9][a-z0-9_-]{0,62}', fullmatch=True),
    st.sampled_from(['ImageExampleGen', 'BulkInferrer', 'Transform']),
    st.from_regex(r'[0-9a-f]{1,12}', fullmatch=True),
)
def test_names_of_jobs_suit_every_engine_and_stay_different(project, node, number):
    name = beam_options.job_name(project, node, number)
    assert re.fullmatch(r'[a-z]([-a-z0-9]{0,61}[a-z0-9])?', name)
    assert name.endswith(f'-{number}')


def test_small_data_do_not_pay_for_parallelism():
    for engine in ENGINES:
        assert worker_count.workers(engine, 'ImageExampleGen', 20, 8) == 0, engine
    assert worker_count.workers('local', 'ImageExampleGen', 1e9, 8) == 0


def test_more_data_get_more_workers_up_to_the_bound():
    counts = [worker_count.workers('flink', 'Transform', size, 16) for size in (1e3, 1e4, 1e5, 1e6)]
    assert counts == sorted(counts) and counts[0] >= 1 and counts[-1] == 16
    assert (
        worker_count.workers('portable', 'ImageExampleGen', 1e5, 1) == 0
    )  # one core: nothing to gain


@pytest.mark.parametrize('node', ['Embedder', 'Evaluator', 'Predict', 'BulkInferrer'])
def test_tensorflow_uses_all_cores_of_a_machine_by_itself(node):
    assert worker_count.workers('multiprocess', node, 1e6, 8) == 0
    assert worker_count.workers('portable', node, 1e6, 8) == 0
    assert worker_count.workers('flink', node, 1e6, 8) == 8


@hypothesis.given(
    st.sampled_from(ENGINES),
    st.sampled_from([*worker_count.MB_PER_SECOND, 'Another']),
    st.floats(0, 1e12),
    st.integers(1, 1000),
)
def test_workers_are_within_bounds(engine, node, megabytes, most):
    assert 0 <= worker_count.workers(engine, node, megabytes, most) <= most


def test_flink_is_asked_for_no_more_than_its_slots():
    assert worker_count.limit_to_slots(8, 3, is_explicit=False) == 3
    assert worker_count.limit_to_slots(3, 3, is_explicit=True) == 3
    assert worker_count.limit_to_slots(8, None, is_explicit=True) == 8
    with pytest.raises(ConfigError, match='has 1 slot; ask for no more.*Received: 2'):
        worker_count.limit_to_slots(2, 1, is_explicit=True)
