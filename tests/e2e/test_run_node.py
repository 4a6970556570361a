"""The whole chain node by node, groups of nodes in processes of their own, as schedulers do."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import time

import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import Project
from thawline.pipeline.config import loading
from thawline.pipeline.metadata import execution_states, runs
from thawline.pipeline.metadata.stores import opening

pytestmark = pytest.mark.e2e

PROBE = {'training': '{mode: probe, augmentation: none}', 'embedding': '{views: 0}'}
LOOK = ('StatisticsGen', 'SchemaGen', 'ExampleValidator', 'DataGate')
LEARN = ('Trainer', 'Baseline', 'Evaluator', 'Exporter', 'ServingCheck')
SHIP = ('Pusher', 'LastReport', 'Report')


def arguments(nodes: tuple[str, ...], run_id: str) -> list[str]:
    named = [part for node in nodes for part in ('--node', node)]
    return ['run-node', '--ir', 'pipeline.json', '--run-id', run_id, *named]


def nodes_of(
    project: Project, *nodes: str, run_id: str = 'r1', force: bool = False, fresh: bool = False
):
    more = ['--force'] if force else []
    return project.thawline(*arguments(nodes, run_id), *more, fresh=fresh)


def runs_of(project: Project) -> dict[str, runs.Run]:
    found = loading.load_project(project.home)
    return {one.id: one for one in runs.read_runs(opening.find_store(found), 'stones')}


def answers(of: runs.Run) -> list[dict]:
    """What the Evaluator noted of each image, in order of the images."""
    folder = pathlib.Path(of.output('Evaluator', 'evaluation').uri, 'predictions')
    rows = [row for file in folder.glob('*.parquet') for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: row['image_id'])


def ended(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stdout + done.stderr
    assert 'Traceback' not in done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def project(make_project) -> Project:
    made = make_project(**PROBE)
    ended(made.thawline('compile', '--out', 'pipeline.json'), 0)
    return made


def test_the_same_project_compiles_to_the_same_file(project, monkeypatch):
    monkeypatch.setenv('PYTHONHASHSEED', '7')
    ended(project.thawline('compile'), 0)
    again = (project.output / 'pipeline.json').read_text('utf-8')
    assert again == (project.home / 'pipeline.json').read_text('utf-8')
    plain = json.loads(again)
    order = [node['id'] for node in plain['nodes']]
    assert order[0] == 'ImageExampleGen' and set(LOOK) | set(LEARN) | set(SHIP) < set(order)
    upstream = {node['id']: node['upstream'] for node in plain['nodes']}
    assert 'DataGate' in upstream['Transform'] and 'Pusher' in upstream['Report']
    assert {node['id'] for node in plain['nodes'] if node['beam']} > {'ImageExampleGen', 'Embedder'}


def test_a_run_node_by_node_with_all_that_goes_wrong(project):
    broken = [project.home / 'images' / 'moss' / f'broken_{number}.jpg' for number in range(12)]
    for path in broken:
        path.write_bytes(b'no image at all')
    said = ended(nodes_of(project, 'Transform'), 5)
    assert 'its inputs are missing: DataGate did not run; ImageExampleGen did not run' in said

    said = ended(nodes_of(project, *LOOK[::-1], 'ImageExampleGen'), 4)
    assert '12 quarantined' in said and '✗ DataGate' in said and 'max_quarantined' in said
    assert 'DataGate failed' in ended(nodes_of(project, 'Transform'), 5)

    for path in broken:
        path.unlink()
    prepare = ('ImageExampleGen', *LOOK, 'Transform', 'Embedder', 'DataAudit')
    said = ended(nodes_of(project, *prepare, force=True), 0)
    assert '120 images, 0 quarantined' in said
    for node in prepare:
        assert re.search(rf'^> {node}\n(  .*\n)*✓ {node} +(\d+ min )?[\d.]+ s', said, re.M), node

    process = project.start(*arguments(('Trainer',), 'r1'))
    while 'Trainer' not in {node.node for node in runs_of(project)['r1'].nodes}:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    process.kill()
    process.communicate()
    assert process.returncode == -9
    assert 'killed in Trainer' in project.thawline('runs').stdout
    ended(nodes_of(project, *LEARN), 0)
    said = ended(nodes_of(project, *SHIP, fresh=True), 0)
    assert 'BLESSED and pushed' in said
    (link,) = re.findall(r'report +(\S+)', said)
    assert pathlib.Path(link).resolve().name == 'report.html'
    assert pathlib.Path(link).name == 'r1.html'
    (log,) = re.findall(r'log +(\S+)', said)
    assert pathlib.Path(log).name == 'r1-Pusher..Report.log'
    assert 'Pusher' in pathlib.Path(log).read_text('utf-8')

    said = ended(nodes_of(project, *LOOK, *LEARN, *SHIP), 0)
    assert not re.search('^> ', said, re.M)
    assert said.count(' complete ') == len((*LOOK, *LEARN, *SHIP))
    listed = project.thawline('runs').stdout
    assert re.search(r'r1 .*0 of 16 .*blessed, pushed as', listed), listed
    assert re.search(r'r1', ended(project.thawline('models'), 0))
    assert len(project.versions()) == 1


def test_the_local_run_comes_to_the_same(project):
    ended(project.thawline('run', '--no-cache', '--to', 'Evaluator'), 0)
    scheduled, local = runs_of(project).values()
    assert scheduled.id == 'r1'
    assert [one.state for one in local.nodes] == ['complete'] * 11
    one, other = answers(scheduled), answers(local)
    assert len(one) > 30 and [row['answer'] for row in one] == [row['answer'] for row in other]
    for ours, theirs in zip(one, other, strict=True):
        assert ours['probabilities'] == pytest.approx(theirs['probabilities'], abs=1e-5)
    noted = scheduled.output('Evaluator', 'evaluation').properties
    assert (
        noted['val_accuracy'] == local.output('Evaluator', 'evaluation').properties['val_accuracy']
    )


def test_two_runs_at_once_of_which_none_is_blessed(project):
    project.write(**PROBE | {'gate': '{val_accuracy: 1.0}'})
    ended(project.thawline('compile', '--out', 'pipeline.json'), 0)
    before = project.versions()
    every = tuple(
        node['id'] for node in json.loads((project.home / 'pipeline.json').read_text())['nodes']
    )
    both = [project.start(*arguments(every, run_id)) for run_id in ('r2', 'r3')]
    told = [one.communicate(timeout=600)[0] for one in both]
    assert [one.returncode for one in both] == [3, 3], told
    for said in told:
        assert 'NOT BLESSED' in said and '✓ Report' in said
        assert re.search(r'^✓ Trainer +cached', said, re.M)
    assert project.versions() == before
    found = runs_of(project)
    for run_id in ('r2', 'r3'):
        states = [node.state for node in found[run_id].nodes]
        assert len(states) == 16 and {*states} <= {*execution_states.SUCCESS_STATES}
        assert found[run_id].output('Evaluator', 'blessing').properties['blessed'] == 0
    assert project.thawline('runs').stdout.count('not blessed') == 2
    said = ended(nodes_of(project, 'Pusher', run_id='r2'), 3)
    assert re.search(r'^! Pusher +complete', said, re.M)
