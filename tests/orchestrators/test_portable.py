"""The chain on Beam's own job service with worker processes: no JVM, and the same results."""

from __future__ import annotations

import datetime
import pathlib
import re
import subprocess

import pytest

from tests.e2e.conftest import Project, draw_classes
from thawline.pipeline.system import ports
from thawline.pipeline.tools.cluster_demo import compare_outputs

pytestmark = pytest.mark.orchestrators

PROBE = {
    'training': '{mode: probe, augmentation: none}',
    'embedding': '{views: 0}',
}
WORKERS = '{workers: 2}'


@pytest.fixture(scope='module')
def both(tmp_path_factory) -> dict[str, Project]:
    """The same images by both engines, each from nothing."""
    home = tmp_path_factory.mktemp('portable')
    draw_classes(home / 'images', 30)
    projects = {}
    for engine in ('local', 'portable'):
        (home / engine).mkdir()
        project = projects[engine] = Project(home / engine)
        project.write(**PROBE, data='{source: ../images}', beam=WORKERS)
        done = project.thawline('run', '--engine', engine)
        assert done.returncode == 0, done.stdout + done.stderr
        assert 'BLESSED and pushed' in done.stdout
    return projects


def test_results_are_those_of_the_local_run(both):
    assert compare_outputs.differences(both['local'].output, both['portable'].output) == []


def test_nodes_ran_where_they_should(both):
    log = min((both['portable'].output / 'logs').glob('*.log')).read_text('utf-8')
    for node in ('ImageExampleGen', 'StatisticsGen', 'Transform', 'Embedder', 'Evaluator'):
        assert f'{node} runs on: portable, 2 workers' in log
    logs = (both['portable'].output / 'logs' / 'engine').glob('job_server-*.log')
    served = next(logs).read_text('utf-8')
    assert served.count('with state DONE') >= 7


def test_another_engine_runs_nothing_again(both):
    done = both['portable'].thawline('run', '--engine', 'local')
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line for line in done.stdout.splitlines() if line.startswith('✓')]
    new = [line for line in ran if 'cached' not in line]
    # What looks for the latest of other runs always does.
    looking = {'Baseline', 'Pusher', 'LastReport'}
    assert ran and {line.split()[1] for line in new} == looking, done.stdout


def test_batch_prediction_gives_the_same_table(both):
    tables = []
    for engine, project in both.items():
        table = project.home / f'{engine}.csv'
        done = both['local'].thawline(
            'predict', '../images', '--model', 'staging', '--to', str(table), '--engine', engine
        )
        assert done.returncode == 0, done.stdout + done.stderr
        lines = table.read_text('utf-8').splitlines()
        tables.append([line.split(',')[:2] for line in lines])
    assert len(tables[0]) == 91 and tables[0] == tables[1]


def test_nothing_outlives_the_run(both):
    """Job service, worker pool and workers name the project's Python and our modules."""
    listed = subprocess.run(['ps', '-eo', 'ppid,args'], capture_output=True, text=True, check=True)
    left = [
        line
        for line in listed.stdout.splitlines()
        if 'thawline.pipeline.engines.worker_' in line and line.split()[0] == '1'
    ]
    assert left == []
    assert pathlib.Path(both['portable'].output).is_dir()


@pytest.mark.parametrize('what', ['job_endpoint', 'worker_pool'])
def test_what_is_absent_ends_the_run_soon(tmp_path, what):
    draw_classes(tmp_path / 'images', 4)
    project = Project(tmp_path)
    address = f'localhost:{ports.free_port()}'
    project.write(**PROBE, beam=f'{{engine: portable, workers: 2, {what}: "{address}"}}')
    done = project.thawline('run')
    assert done.returncode == 7, done.stdout + done.stderr
    assert f'beam.{what}: no ' in done.stdout and address in done.stdout
    assert 'Traceback' not in done.stdout + done.stderr
    log = next((project.output / 'logs').glob('*.log')).read_text('utf-8')
    times = [
        datetime.datetime.fromisoformat(one) for one in re.findall(r'^(\S+ \S+),\d+ ', log, re.M)
    ]
    assert (times[-1] - times[0]).total_seconds() < 30
