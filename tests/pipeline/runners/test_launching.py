"""Nodes launched by TFX's own launcher, against a real metadata store."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import shutil
import sys
import time

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from tests.pipeline.runners import tiny_nodes
from thawline.components.shared import errors, model_fingerprint
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.model_fingerprint import LocalFiles
from thawline.pipeline.commands import runs
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import execution_states, lineage
from thawline.pipeline.metadata import runs as metadata
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.registry import lock, models
from thawline.pipeline.runners import compiled_file
from thawline.pipeline.runners.failures import InputsMissing, NodeFailed
from thawline.pipeline.runners.launching import CompiledRun, from_json


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Project:
    return tiny_nodes.made(tmp_path)


def run_of(project: Project, run_id: str = 'r1', **changes) -> CompiledRun:
    project.output.mkdir(parents=True, exist_ok=True)
    return from_json(
        tiny_nodes.compiling.compile_pipeline(tiny_nodes.wired(project, **changes))[1], run_id
    )


def executions(project: Project, node: str) -> list[pb.Execution]:
    """Of a node, in order of their start."""
    store = opening.find_store(project)
    context = store.get_context_by_type_and_name('node', f'tiny.{node}')
    return sorted(store.get_executions_by_context(context.id), key=lambda one: one.id)


def read_by(project: Project, execution: pb.Execution) -> set[str]:
    """What an execution noted as its inputs."""
    events = opening.find_store(project).get_events_by_execution_ids([execution.id])
    return {event.path.steps[0].key for event in events if event.type == pb.Event.INPUT}


def state(project: Project, node: str, run_id: str = 'r1') -> str:
    return metadata.node_result(opening.find_store(project), run_id, node, 'tiny').state


def test_nodes_hand_on_what_they_made(project):
    run = run_of(project)
    assert run.upstream == {'One': (), 'Two': ('One',), 'Three': ('One', 'Two')}
    results = [run.launch(node) for node in run.selected]
    assert [result.state for result in results] == ['complete'] * 3
    assert tiny_nodes.line('Three', project) == 'three(one(), two(one()))'
    again = run_of(project, 'r2')
    assert [again.launch(node).state for node in again.selected] == ['cached'] * 3


def test_each_attempt_is_an_execution_of_its_own_with_its_inputs(project, monkeypatch):
    run = run_of(project)
    with pytest.raises(InputsMissing, match='Three did not run: its inputs are missing'):
        run.launch('Three')
    assert state(project, 'Three') == 'not run'
    (listed,) = metadata.read_runs(opening.find_store(project), 'tiny')
    assert runs.outcome(listed) == 'ended before Three: its inputs were missing'
    run.launch('One')
    monkeypatch.setenv(tiny_nodes.FAIL, 'Two')
    with pytest.raises(NodeFailed, match='Two failed: .*told to fail'):
        run.launch('Two')
    assert state(project, 'Two') == 'failed'
    monkeypatch.delenv(tiny_nodes.FAIL)
    for node in ('Two', 'Three'):
        assert run.launch(node).state == 'complete'
    assert tiny_nodes.line('Three', project) == 'three(one(), two(one()))'
    # TFX's launcher would have taken the first one up again, which knows of no input.
    first, second = executions(project, 'Three')
    assert read_by(project, first) == set() and read_by(project, second) == {'one', 'two'}
    assert [execution_states.is_superseded(one) for one in (first, second)] == [True, False]


def killed_in(project: Project, node: str) -> None:
    """A process that runs a node and is killed meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(tiny_nodes.FAIL, f'kill {node}')
        launch = run_of(project).launch
        child = multiprocessing.get_context('fork').Process(target=launch, args=[node])
        child.start()
        child.join(120)
    assert child.exitcode == -9


def test_nothing_of_a_killed_attempt_is_in_the_next_one(project):
    run_of(project).launch('One')
    killed_in(project, 'Two')
    assert state(project, 'Two') == 'killed'
    result = run_of(project).launch('Two')
    made = {file.name for file in pathlib.Path(result.outputs['made'].uri).iterdir()}
    assert made == {'line', f'part-{os.getpid()}'}
    before, _ = executions(project, 'Two')
    assert before.last_known_state == pb.Execution.FAILED


def test_a_node_that_ran_again_counts_once_for_its_run_and_still_for_others(project):
    run = run_of(project)
    first = [run.launch(node) for node in run.selected]
    cached = run_of(project, 'r2')
    for node in cached.selected:
        cached.launch(node)
    forced = run_of(project).launch('Two', use_cache=False)
    assert forced.state == 'complete'
    assert forced.outputs['made'].id != first[1].outputs['made'].id
    # Would be ambiguous if the execution before counted too.
    assert run_of(project).launch('Three', use_cache=False).state == 'complete'
    events = opening.find_store(project).get_events_by_execution_ids(
        [executions(project, 'Three')[-1].id]
    )
    (read,) = [e.artifact_id for e in events if e.path.steps[0].key == 'two']
    assert read == forced.outputs['made'].id
    other = metadata.node_result(opening.find_store(project), 'r2', 'Two', 'tiny')
    assert other.outputs['made'].id == first[1].outputs['made'].id
    with run_of(project).metadata() as handle:
        pipeline = handle.store.get_context_by_type_and_name('pipeline', 'tiny')
        mine = handle.store.get_context_by_type_and_name('pipeline_run', 'r1')
        everywhere = {one.id for one in handle.store.get_executions_by_context(pipeline.id)}
        here = {one.id for one in handle.store.get_executions_by_context(mine.id)}
    superseded = {
        one.id for one in executions(project, 'Two') if execution_states.is_superseded(one)
    }
    assert len(superseded) == 1
    assert superseded <= everywhere and not superseded & here


def test_a_definition_follows_what_the_node_is_and_is_noted(project):
    def of(**changes) -> dict[str, str]:
        return compiled_file.node_digests(
            tiny_nodes.compiling.compile_pipeline(tiny_nodes.wired(project, **changes))[1]
        )

    assert of() == of(cache=False)
    changed = of(Two='zwei')
    assert [node for node in changed if changed[node] != of()[node]] == ['Two']
    run_of(project).launch('One')
    assert (
        metadata.read_attempts(opening.find_store(project), 'r1', 'tiny')['One'].definition
        == of()['One']
    )


def test_arguments_of_the_process_are_none_of_the_nodes(project, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['thawline', 'run-node', '--runner=DirectRunner'])
    seen = []
    run = run_of(project)
    monkeypatch.setattr(metadata, 'read_attempts', lambda *_: seen.append(list(sys.argv)) or {})
    run.launch('One')
    assert seen == [['thawline']]
    assert sys.argv[1:] == ['run-node', '--runner=DirectRunner']


PUSH = ('Model', 'ModelBlessing', 'InfraBlessing', 'ServingRecord', 'Pusher')


def model(project: Project, name: str) -> str:
    """A model that holds its name."""
    folder = project.home / f'model-{name}' / 'Format-Serving'
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / 'saved_model.pb').write_text(name, 'utf-8')
    return str(folder.parent)


def pushed(project: Project, name: str, run_id: str, **changes) -> metadata.NodeResult:
    """The result of the Pusher in a run that pushes a model."""
    run = run_of(project, run_id, push=model(project, name), **changes)
    return [run.launch(node) for node in PUSH][-1]


def served(project: Project) -> tuple[int, str]:
    """The highest version in staging, and the name of the model in it."""
    version = max(map(int, os.listdir(project.staging)))
    return version, (project.staging / str(version) / 'saved_model.pb').read_text('utf-8')


def test_staging_serves_the_model_of_the_last_run_whatever_the_cache_holds(project):
    for number, name in enumerate('aba'):
        result = pushed(project, name, f'r{number}')
        noted = result.outputs['pushed_model']
        assert result.state == 'complete' and noted.pushed and not noted.already_there
        version = int(noted.properties['pushed_version'])
        assert served(project) == (version, name)
        assert noted.properties['pushed_destination'] == str(project.staging / str(version))
        assert pathlib.Path(noted.uri, 'saved_model.pb').read_text('utf-8') == name
    again = pushed(project, 'a', 'r3').outputs['pushed_model']
    assert again.pushed and again.already_there
    assert served(project) == (int(again.properties['pushed_version']), 'a')
    assert len(os.listdir(project.staging)) == 3
    graph = lineage.read(opening.find_store(project), 'tiny')
    pushes = models.pushes(graph)
    assert [pushes[version].model for version in sorted(pushes)] == [
        graph.of_node('Pusher')[number].inputs['model'][0] for number in range(3)
    ]
    assert {version: push.digest for version, push in pushes.items()} == {
        int(folder.name): model_fingerprint.fingerprint(LocalFiles(folder)).digest
        for folder in project.staging.iterdir()
    }


@pytest.mark.parametrize(
    ('name', 'text', 'changes'),
    [
        ('saved_model.pb', 'c', 'changed: saved_model.pb'),
        ('saved_model.pb', None, 'missing: saved_model.pb'),
        ('more.txt', '', 'added: more.txt'),
    ],
)
def test_a_model_that_changed_since_its_check_is_not_pushed(project, name, text, changes):
    pushed(project, 'a', 'r0')
    run = run_of(project, 'r1', push=model(project, 'b'))
    file = pathlib.Path(model(project, 'b'), 'Format-Serving', name)
    file.unlink() if text is None else file.write_text(text, 'utf-8')
    for node in PUSH[:-1]:
        run.launch(node)
    with pytest.raises(NodeFailed) as raised:
        run.launch('Pusher')
    reason = errors.user_error(raised.value)
    assert isinstance(reason, ConfigError) and f'{file.parent} is no longer' in str(reason)
    assert f'{changes}; ' in str(reason) and '--from Exporter --no-cache' in str(reason)
    assert len(os.listdir(project.staging)) == 1 and served(project)[1] == 'a'


def test_a_number_is_not_given_again_to_an_emptied_folder(project):
    ahead = int(time.time()) + 1000
    (project.staging / str(ahead)).mkdir(parents=True)
    assert pushed(project, 'a', 'r0').outputs['pushed_model'].pushed
    shutil.rmtree(project.staging)
    assert pushed(project, 'b', 'r1').outputs['pushed_model'].pushed
    assert served(project) == (ahead + 2, 'b')


def test_a_model_without_a_blessing_is_not_pushed_but_remnants_go(project):
    remnant = project.staging / '.incoming-push-0a1b'
    remnant.mkdir(parents=True)
    noted = pushed(project, 'a', 'r0', blessed=False).outputs['pushed_model']
    assert noted.properties['pushed'] == 0 and 'pushed_version' not in noted.properties
    assert os.listdir(project.staging) == []


def test_a_push_waits_for_a_promotion(project):
    context = multiprocessing.get_context('fork')
    barrier = context.Barrier(2)
    process = context.Process(target=_push, args=[project, 0, barrier])
    process.start()  # before the lock, which it would inherit
    with lock.hold(project.registry_lock, 'promote 7'):
        barrier.wait(120)
        process.join(3)
        assert process.is_alive() and not project.staging.exists()
    process.join(120)
    assert process.exitcode == 0 and served(project)[1] == '0'


def _push(project: Project, number: int, barrier) -> None:
    run = run_of(project, f'r{number}', push=model(project, str(number)))
    for node in PUSH[:-1]:
        run.launch(node)
    barrier.wait(120)
    run.launch('Pusher')


def test_runs_that_push_at_the_same_time_push_a_version_each(project):
    context = multiprocessing.get_context('fork')
    barrier = context.Barrier(3)
    pushing = [context.Process(target=_push, args=[project, i, barrier]) for i in range(3)]
    for one in pushing:
        one.start()
    for one in pushing:
        one.join(240)
    assert [one.exitcode for one in pushing] == [0, 0, 0]
    versions = {
        version.name: (version / 'saved_model.pb').read_text('utf-8')
        for version in project.staging.iterdir()
    }
    assert sorted(versions.values()) == ['0', '1', '2']
    for run in metadata.read_runs(opening.find_store(project), 'tiny'):
        noted = run.output('Pusher', 'pushed_model').properties
        assert versions[noted['pushed_version']] == run.id[1:]


def _work(project: Project, number: int, barrier) -> None:
    os.environ[tiny_nodes.WAIT] = '0'
    barrier.wait(120)
    for turn in range(2):
        run = run_of(project, f'r{number}-{turn}', cache=False)
        for node in run.selected:
            run.launch(node)


def test_several_processes_write_one_new_file_at_once(project):
    """Two schedulers on one SQLite: neither an error nor a lost execution."""
    context = multiprocessing.get_context('fork')
    barrier = context.Barrier(4)
    working = [context.Process(target=_work, args=[project, i, barrier]) for i in range(4)]
    for one in working:
        one.start()
    for one in working:
        one.join(240)
    assert [one.exitcode for one in working] == [0] * 4
    runs = metadata.read_runs(opening.find_store(project), 'tiny')
    assert {run.id for run in runs} == {f'r{i}-{j}' for i in range(4) for j in range(2)}
    assert all([node.state for node in run.nodes] == ['complete'] * 3 for run in runs)
