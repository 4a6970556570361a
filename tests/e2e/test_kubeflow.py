"""The compiled Kubeflow pipeline, run task by task by kfp's own local orchestrator.

There is no cluster here. Everything else is real: the file that would be submitted, kfp's reading
of it, its order of tasks, placeholders, parameters and the branch, and each task's command line.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess

import pytest

from tests import fork_server
from tests.fork_server import environment

pytest.importorskip('kfp')
pytestmark = pytest.mark.orchestrators


@pytest.fixture(scope='module')
def volume(make_project, tmp_path_factory) -> pathlib.Path:
    """What stands for the PersistentVolumeClaim, and in it the compiled pipeline."""
    project = make_project(
        data='{source: /thawline/images}', training='{mode: probe, augmentation: none}'
    )
    folder = tmp_path_factory.mktemp('volume')
    shutil.copytree(project.home / 'images', folder / 'images')
    made = project.thawline(
        *('schedule', 'kubeflow', '--image', 'registry.example/thawline:0', '--group', 'all'),
        *('--root', 'gs://bucket/projects', '--volume', 'claim', '--out', 'pipeline.yaml'),
    )
    assert made.returncode == 0, made.stderr
    assert 'nodes in 3 tasks' in made.stdout
    text = (project.home / 'pipeline.yaml').read_text('utf-8')
    (folder / 'pipeline.yaml').write_text(text.replace('/thawline', str(folder)), 'utf-8')
    return folder


def run(volume: pathlib.Path, name: str, **parameters) -> subprocess.CompletedProcess[str]:
    module = 'tests.pipeline.orchestrators.kubeflow.kubeflow_local'
    command = [*fork_server.fresh_command(module), str(volume / 'pipeline.yaml')]
    return subprocess.run(
        [*command, str(volume / 'kubeflow' / name), json.dumps(parameters)],
        cwd=volume, env=environment(), capture_output=True, text=True, timeout=3000,
    )  # fmt: skip


def output(volume: pathlib.Path, run_name: str, task: str, name: str) -> str:
    (file,) = (volume / 'kubeflow' / run_name).glob(f'*/{task}/{name}')
    return file.read_text('utf-8')


def test_a_blessed_run(volume):
    ended = run(volume, 'first')
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count('exit code 0') == 3
    assert output(volume, 'first', 'pusher', 'verdict') == 'blessed'
    assert '<html' in output(volume, 'first', 'lastreport-report', 'report')
    told = json.loads(
        output(volume, 'first', 'imageexamplegen-servingcheck', 'executor_output.json')
    )
    measures = told['artifacts']['measures']['artifacts'][0]['metadata']
    assert measures['blessed'] == 1
    assert 0.6 <= measures['val_lower'] <= measures['val_accuracy'] <= 1
    assert len(list((volume / 'stones' / 'runs' / 'serving' / 'staging').iterdir())) == 1


def test_a_refused_run_takes_the_branch(volume):
    ended = run(volume, 'second', gate=0.999)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count('exit code 0') == 4
    assert output(volume, 'second', 'pusher', 'verdict') == 'refused'
    assert '99.9 %' in output(volume, 'second', 'pusher', 'why')
    assert '<html' in output(volume, 'second', 'lastreport-report', 'report')
    assert len(list((volume / 'stones' / 'runs' / 'serving' / 'staging').iterdir())) == 1


def test_other_commands_work_where_the_volume_is_mounted(volume):
    shown = subprocess.run(
        [*fork_server.command(), 'runs', str(volume / 'stones')],
        env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert 'BLESSED' in shown.stdout.upper()


def test_a_parameter_that_cannot_be_used_ends_the_run(volume):
    ended = run(volume, 'third', budget='soon')
    assert ended.returncode != 0
    assert 'training.budget: must be a time above 0 with its unit' in ended.stdout
    assert 'exit code 2' in ended.stdout


def test_data_that_is_not_there_ends_the_run(volume):
    ended = run(volume, 'fourth', data=str(volume / 'no_images'))
    assert ended.returncode != 0
    assert 'does not exist' in ended.stdout
    assert 'exit code 4' in ended.stdout
