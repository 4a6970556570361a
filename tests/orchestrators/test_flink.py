"""The chain on a real Flink cluster of this machine: equal results, and a lost TaskManager."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from pipeline.engines import processes
from pipeline.engines.flink import jars
from tests.e2e.conftest import Project, draw_classes

pytestmark = [
    pytest.mark.orchestrators,
    pytest.mark.skipif(shutil.which('java') is None, reason='Flink needs Java 17'),
    pytest.mark.skipif(
        shutil.which('mvn') is None and bool(jars.wrong(jars.folder(), jars.expected())),
        reason='the jars of Flink come by Maven',
    ),
]


@pytest.fixture
def project(tmp_path) -> Project:
    draw_classes(tmp_path / 'images', 30)
    made = Project(tmp_path)
    made.write(embedding='{views: 0}', training='{mode: probe, augmentation: none}')
    return made


def demo(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, '-m', 'pipeline.flink_demo', str(project.home),
        '--folder', str(project.home / 'demo'), *arguments,
    ]  # fmt: skip
    return subprocess.run(
        command,
        env={**processes.environment(), 'NO_COLOR': '1', 'COLUMNS': '200'},
        capture_output=True, text=True, timeout=3600, check=False,
    )  # fmt: skip


def test_flink_comes_to_the_same_and_survives_a_lost_task_manager(project):
    done = demo(project, '--kill', 'Transform')
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'killed a TaskManager during thawline-stones-transform' in done.stdout
    assert 'the same results' in done.stdout
    # More than one where the job was lost with its TaskManager and the command was given again.
    logs = (project.home / 'demo' / 'flink' / 'run' / 'logs').glob('*.log')
    log = '\n'.join(path.read_text('utf-8') for path in logs)
    for node in ('ImageExampleGen', 'StatisticsGen', 'Transform', 'Embedder', 'Evaluator'):
        assert f'{node} runs on: flink, 2 workers' in log
