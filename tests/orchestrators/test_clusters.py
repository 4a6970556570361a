"""The chain on real clusters of this machine: equal results, and a lost worker."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.e2e.conftest import Project, draw_classes
from thawline.pipeline.engines import processes
from thawline.pipeline.tools.cluster_demo import jars


def cluster(found: jars.Jars, worker: str):
    """A case, and where it has to be skipped."""
    marks = [
        pytest.mark.skipif(shutil.which('java') is None, reason=f'{found.title} needs Java 17'),
        pytest.mark.skipif(
            shutil.which('mvn') is None and found.missing(),
            reason=f'the jars of {found.title} come by Maven',
        ),
    ]
    return pytest.param(found.title.lower(), worker, id=found.title.lower(), marks=marks)


@pytest.fixture
def project(tmp_path) -> Project:
    draw_classes(tmp_path / 'images', 30)
    made = Project(tmp_path)
    made.write(embedding='{views: 0}', training='{mode: probe, augmentation: none}')
    return made


def demo(engine: str, project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, '-m', 'thawline.pipeline.tools.cluster_demo.demo', engine,
        str(project.home),
        '--folder', str(project.home / 'demo'), *arguments,
    ]  # fmt: skip
    return subprocess.run(
        command,
        env={**processes.environment(), 'NO_COLOR': '1', 'COLUMNS': '200'},
        capture_output=True, text=True, timeout=3600, check=False,
    )  # fmt: skip


@pytest.mark.orchestrators
@pytest.mark.parametrize(
    ('engine', 'worker'), [cluster(jars.FLINK, 'TaskManager'), cluster(jars.SPARK, 'Worker')]
)
def test_a_cluster_comes_to_the_same_and_survives_a_lost_worker(engine, worker, project):
    done = demo(engine, project, '--kill', 'Transform')
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'killed a {worker} during thawline-stones-transform' in done.stdout
    assert 'the same results' in done.stdout
    # More than one where the job was lost with its worker and the command was given again.
    logs = (project.home / 'demo' / engine / 'run' / 'logs').glob('*.log')
    log = '\n'.join(path.read_text('utf-8') for path in logs)
    for node in ('ImageExampleGen', 'StatisticsGen', 'Transform', 'Embedder', 'Evaluator'):
        assert f'{node} runs on: {engine}, 2 workers' in log
