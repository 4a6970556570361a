"""User errors of workers keep their type."""

from __future__ import annotations

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from thawline.components.shared import progress
from thawline.components.shared.errors import ConfigError, DataError
from thawline.pipeline.config.beam import Beam
from thawline.pipeline.engines import worker_errors
from thawline.pipeline.engines.beam_options import IN_PROCESS
from thawline.pipeline.engines.engine import Engine


class Fails(beam.DoFn):
    def process(self, element):
        raise DataError('a.gz is damaged (truncated); make it anew with: thawline run --no-cache')


def test_an_error_of_a_person_comes_out_of_beam_as_itself(tmp_path):
    with Engine(Beam(), 'stones', tmp_path, tmp_path) as engine:
        placed = engine.place('Embedder', 0.0, '1')
        root = beam.Pipeline(options=PipelineOptions(list(IN_PROCESS)))
        root | beam.Create([1]) | beam.ParDo(Fails())
        with pytest.raises(DataError) as error, engine.supervise(placed):
            root.run().wait_until_finish()
    assert str(error.value) == (
        'a.gz is damaged (truncated); make it anew with: thawline run --no-cache'
    )


def test_a_job_server_tells_it_in_a_longer_text():
    text = (
        'Pipeline job-1 failed in state FAILED: java.lang.RuntimeException: Error received from '
        'SDK harness for instruction 5: Traceback (most recent call last):\n  File "x.py", line 3\n'
        "thawline.components.shared.errors.ConfigError: no base 'x' "
        "[while running 'Embed-1']\n\n\tat org.apache"
    )
    user_error = worker_errors.user_error(RuntimeError(text))
    assert isinstance(user_error, ConfigError) and str(user_error) == "no base 'x'"


@pytest.mark.parametrize('words', ['call is closed', 'call already closed'])
def test_a_task_manager_without_room_is_told_with_what_gives_it_some(words):
    text = f'Pipeline x_1 failed in state FAILED: java.lang.IllegalStateException: {words}'
    user_error = worker_errors.user_error(RuntimeError(text))
    assert isinstance(user_error, ConfigError)
    assert 'taskmanager.memory.task.off-heap.size: 1g' in str(user_error)


@pytest.mark.parametrize(
    'words', ['Cannot call methods on a stopped SparkContext.', 'SparkContext has been shutdown']
)
def test_a_job_that_spark_gave_up_is_told_in_one_line_with_where_to_look(words):
    text = f'x_1 failed in state FAILED: java.lang.IllegalStateException: {words}\nat a.b\nat c.d'
    user_error = worker_errors.user_error(RuntimeError(text))
    assert isinstance(user_error, ConfigError)
    assert 'logs of its Workers' in str(user_error) and '\n' not in str(user_error)


@pytest.mark.parametrize(
    'text',
    [
        '',
        'ValueError: no',
        'thawline.components.shared.errors.Unheard: of',
        'thawline.components.shared.errors.annotations: x',
    ],
)
def test_a_crash_stays_one(text):
    assert worker_errors.user_error(RuntimeError(text)) is None


def test_what_is_done_elsewhere_has_no_end_here(tmp_path):
    seen = []
    beam_settings = Beam(engine='multiprocess', workers=2)
    with (
        Engine(beam_settings, 'stones', tmp_path, tmp_path) as engine,
        progress.listening(seen.append),
        engine.supervise(engine.place('Transform', 0.0, '1')),
    ):
        progress.start('images', 120)
    assert seen[-1] == progress.Progress('images', 0, None, 'multiprocess, 2 workers')
    with progress.listening(seen.append):
        progress.start('images', 120)
    assert seen[-1].total == 120 and seen[-1].remark == ''
