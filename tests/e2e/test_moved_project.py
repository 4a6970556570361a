"""A project that was moved, and a copy of it: everything is there, and nothing runs twice."""

from __future__ import annotations

import pathlib
import re
import shutil

import pytest

from tests.e2e.conftest import TINY_BASE, Project

pytestmark = pytest.mark.e2e

GATE = '{val_accuracy: 0.3, strictness: point}'


def states(project: Project, *arguments: str) -> dict[str, str]:
    """How a run came by the result of each node."""
    run = project.thawline('run', *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    return dict(re.findall(r'^✓ (\w+)\s+(\S+)', run.stdout, re.MULTILINE))


def test_move_and_copy(make_project, tmp_path: pathlib.Path) -> None:
    original = make_project(
        images=20,
        model=TINY_BASE,
        training='{mode: probe, augmentation: none}',
        gate=GATE,
    )
    assert 'cached' not in states(original).values()
    promoted = original.thawline('promote', 'last', '--yes', '--reason', 'x')
    assert promoted.returncode == 0, promoted.stdout + promoted.stderr
    before = original.thawline('report', 'last', '--format', 'json').stdout
    place = str(original.home)

    copy = Project(tmp_path / 'copy')
    shutil.copytree(original.home, copy.home, symlinks=True)
    moved = Project(tmp_path / 'elsewhere')
    shutil.move(original.home, moved.home)
    for project in (moved, copy):
        models = project.thawline('models')
        assert models.returncode == 0, models.stderr
        assert place in models.stderr and str(project.home) in models.stderr
        assert re.search(r'production', models.stdout) and 'not known' not in models.stdout
        again = project.thawline('runs')
        assert again.returncode == 0 and again.stderr == ''
        assert project.thawline('report', 'last', '--format', 'json').stdout == before
        served = states(project)
        assert {node for node, state in served.items() if state == 'cached'} == {
            'ImageExampleGen', 'StatisticsGen', 'SchemaGen', 'ExampleValidator', 'DataGate',
            'Transform', 'Embedder', 'DataAudit', 'Trainer', 'Evaluator', 'Exporter',
            'ServingCheck', 'Report',
        }  # fmt: skip
        for page in (project.output / 'reports').glob('*.html'):
            assert page.resolve().is_relative_to(project.home) and page.is_file()
        explained = project.thawline('explain', 'production')
        assert explained.returncode == 0 and place not in explained.stdout
    # What comes next has what was before as its baseline, and can be taken back.
    moved.write(model=TINY_BASE, training='{mode: probe, augmentation: none, seed: 1}', gate=GATE)
    assert states(moved, '--from', 'Embedder')['Trainer'] != 'cached'
    for arguments in (('promote', 'last'), ('rollback',)):
        changed = moved.thawline(*arguments, '--yes', '--reason', 'y')
        assert changed.returncode == 0, changed.stdout + changed.stderr
    assert not pathlib.Path(place).exists()
