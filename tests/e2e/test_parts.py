"""Parts of the chain on the results of earlier runs: never on results that are out of date."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import pty
import re
import subprocess

import numpy as np
import PIL.Image
import pytest

from tests import fork_server
from tests.e2e.conftest import TINY_BASE, Project
from thawline.pipeline.config import loading
from thawline.pipeline.metadata import runs
from thawline.pipeline.metadata.stores import opening

pytestmark = pytest.mark.e2e

PROBE = {
    'model': TINY_BASE,
    'training': '{mode: probe, augmentation: none}',
    'embedding': '{views: 0}',
}
SEEDS = {seed: PROBE | {'data': f'{{source: images, split: {{seed: {seed}}}}}'} for seed in (0, 1)}


@pytest.fixture(scope='module')
def project(make_project) -> Project:
    project = make_project(**SEEDS[0])
    ended(project.thawline('run'), 0)
    return project


def ended(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stdout + done.stderr
    assert 'Traceback' not in done.stdout + done.stderr
    return done.stdout


def nodes(told: str) -> list[str]:
    """Nodes that ran."""
    return re.findall(r'^✓ (\w+)', told, re.M)


def reported_seed(project: Project) -> int:
    """The seed of the split in the report of the last run."""
    store = opening.find_store(loading.load_project(project.home))
    report = runs.read_runs(store, 'stones')[-1].output('Report', 'report')
    content = json.loads(pathlib.Path(report.uri, 'content.json').read_text('utf-8'))
    return content['facts']['config']['data']['split']['seed']


def add_class(project: Project, name: str) -> None:
    folder = project.home / 'images' / name
    folder.mkdir()
    rng = np.random.default_rng(len(name))
    for number in range(20):
        pixels = rng.integers(0, 255, (48, 56, 3)).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f'{number}.png')


def answer_yes(project: Project, *arguments: str) -> str:
    """Runs a command on a terminal and answers its one question; returns what it printed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*fork_server.command(), *arguments],
        cwd=project.home, env=fork_server.environment(), stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    printed, answered = b'', False
    with contextlib.suppress(OSError):  # it is gone
        while data := os.read(master, 65536):
            printed += data
            if b'[y/N]' in printed and not answered:
                os.write(master, b'y\n')
                answered = True
    os.close(master)
    assert process.wait(60) == 0, printed
    return printed.decode()


def test_other_split_is_not_trained_on_the_old_one(project: Project) -> None:
    models = len(list((project.output / 'artifacts/Trainer/model').iterdir()))
    project.write(**SEEDS[1])
    for options in (('--from', 'Trainer'), ('--only', 'Evaluator'), ('--from', 'Transform')):
        told = ended(project.thawline('run', *options), 2)
        assert 'ImageExampleGen' in told and '--from ImageExampleGen' in told
        assert nodes(told) == []
    assert len(list((project.output / 'artifacts/Trainer/model').iterdir())) == models
    told = project.thawline('run', '--from', 'ImageExampleGen').stdout
    assert {'ImageExampleGen', 'Trainer', 'Report'} < set(nodes(told))
    assert reported_seed(project) == 1


def test_run_of_before_is_started_from_where_its_settings_are_back(project: Project) -> None:
    project.write(**SEEDS[0])
    told = ended(project.thawline('run', '--from', 'Trainer'), 0)
    assert 'Embedder' not in nodes(told) and re.search(r'^✓ Trainer +cached', told, re.M)
    assert re.search(r'pushed as version|already in staging', told)
    assert reported_seed(project) == 0
    told = ended(project.thawline('run', '--from', 'Exporter'), 0)
    assert nodes(told)[:2] == ['Exporter', 'ServingCheck'] and 'already in staging' in told


def test_images_that_changed_since_are_not_left_out(project: Project) -> None:
    ended(project.thawline('schema', 'infer'), 0)
    (project.home / 'schema.pbtxt').unlink()
    add_class(project, 'amber')
    for node in ('Trainer', 'Report'):
        told = ended(project.thawline('run', '--only', node), 2)
        assert 'ImageExampleGen' in told and 'images that have changed' in told
        assert nodes(told) == []
    done = project.thawline('schema', 'infer')
    assert done.returncode == 2 and 'thawline run --to StatisticsGen' in done.stderr
    assert not (project.home / 'schema.pbtxt').exists()


def test_schema_is_reviewed_compared_and_changed(project: Project) -> None:
    ended(project.thawline('run', '--to', 'SchemaGen'), 0)
    ended(project.thawline('schema', 'infer'), 0)
    schema = project.home / 'schema.pbtxt'
    reviewed = schema.read_text('utf-8').replace('name: "labels"', 'name: "labels"  # by Ada')
    schema.write_text(reviewed, 'utf-8')
    assert '"amber"' in reviewed
    # A second proposal does not touch what was reviewed, and is the same.
    ended(project.thawline('schema', 'infer'), 0)
    assert schema.read_text('utf-8') == reviewed
    proposal = (project.home / 'schema.proposed.pbtxt').read_text('utf-8')
    assert proposal == reviewed.replace('  # by Ada', '')
    ended(project.thawline('schema', 'diff'), 0)

    add_class(project, 'basalt [1]')
    assert 'thawline run --to' in project.thawline('schema', 'diff').stderr
    stopped = ended(project.thawline('run', '--to', 'DataGate'), 4)
    assert "thawline schema accept 'class:basalt [1]'" in stopped
    assert 'next    thawline schema review' in stopped
    differences = ended(project.thawline('schema', 'diff'), 4)
    assert 'class:basalt [1]' in differences and '20 images' in differences
    shown = ended(project.thawline('schema', 'review'), 0)
    assert re.search(r'basalt \[1\]/\d+\.png, .* and 17 more', shown)
    wrong = project.thawline('schema', 'accept', 'class:basalt')
    assert wrong.returncode == 2 and 'class:basalt [1]' in wrong.stderr
    assert schema.read_text('utf-8') == reviewed
    ended(project.thawline('schema', 'accept', 'class:basalt [1]'), 0)
    text = schema.read_text('utf-8')
    schema.write_text(reviewed, 'utf-8')
    assert 'accept it?' in answer_yes(project, 'schema', 'review')
    assert schema.read_text('utf-8') == text
    assert set(text.splitlines()) - set(reviewed.splitlines()) == {'  value: "basalt [1]"'}
    ended(project.thawline('schema', 'diff'), 0)
    ended(project.thawline('run', '--to', 'DataGate'), 0)

    schema.write_text(text + 'feature { nme: "x" }', 'utf-8')
    damaged = project.thawline('schema', 'diff')
    assert damaged.returncode == 2 and f'{schema}:{len(text.splitlines()) + 1}' in damaged.stderr
    # As it was called before there were several commands.
    ended(project.thawline('schema', '.', '--force'), 0)
    assert 'value: "basalt [1]"' in schema.read_text('utf-8')
