"""Runs as the metadata know them: a real store with executions as TFX writes them."""

from __future__ import annotations

import dataclasses
import io
import pathlib

import pytest
import rich.console
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import metadata_store
from thawline.pipeline.commands import runs
from thawline.pipeline.metadata import annotations as recording
from thawline.pipeline.metadata import runs as metadata
from thawline.pipeline.metadata.runs import NodeResult, Output, Run


@pytest.fixture
def store(tmp_path: pathlib.Path):
    return metadata_store.open_sqlite(tmp_path / 'metadata.sqlite')


def record(store, run: str, node: str, state, **artifacts: dict) -> None:
    """One execution of a node of pipeline p in a run, with its output artifacts."""
    contexts = []
    for kind, name in (('pipeline', 'p'), ('pipeline_run', run), ('node', f'p.{node}')):
        kind_id = store.put_context_type(pb.ContextType(name=kind))
        found = store.get_context_by_type_and_name(kind, name)
        contexts.append(found or pb.Context(type_id=kind_id, name=name))
    execution_type = store.put_execution_type(pb.ExecutionType(name=node))
    pairs = []
    for key, properties in artifacts.items():
        kind_id = store.put_artifact_type(pb.ArtifactType(name=f'{node}.{key}'))
        artifact = pb.Artifact(type_id=kind_id, uri=f'/{node}/{key}')
        for name, value in properties.items():
            field = {int: 'int_value', float: 'double_value', str: 'string_value'}[type(value)]
            setattr(artifact.custom_properties[name], field, value)
        event = pb.Event(type=pb.Event.OUTPUT)
        event.path.steps.add(key=key)
        event.path.steps.add(index=0)
        pairs.append((artifact, event))
    execution = pb.Execution(type_id=execution_type, last_known_state=state)
    store.put_execution(execution, pairs, contexts, reuse_context_if_already_exist=True)


def test_no_run_yet(store):
    assert metadata.read_runs(store) == []
    assert metadata.node_result(store, 'r1', 'Trainer') is None


def test_runs_with_their_nodes_states_and_outputs(store):
    record(store, 'r1', 'Trainer', pb.Execution.COMPLETE, model={'kept': 'probe'})
    record(store, 'r2', 'Trainer', pb.Execution.CACHED, model={'kept': 'probe'})
    record(store, 'r2', 'Evaluator', pb.Execution.FAILED)
    runs = metadata.read_runs(store)
    assert [run.id for run in runs] == ['r1', 'r2']
    assert [(n.node, n.state) for n in runs[1].nodes] == [
        ('Trainer', 'cached'), ('Evaluator', 'failed'),
    ]  # fmt: skip
    output = runs[0].output('Trainer', 'model')
    assert output is not None and output.uri == '/Trainer/model'
    assert output.properties['kept'] == 'probe'
    assert runs[0].output('Pusher', 'pushed_model') is None


def test_canceled_is_told_from_failed(store):
    record(store, 'r1', 'Trainer', pb.Execution.FAILED)
    recording.mark_canceled(store, 'r1', 'Trainer', 'p')
    result = metadata.node_result(store, 'r1', 'Trainer')
    assert result is not None and result.state == 'canceled'
    assert runs.outcome(metadata.read_runs(store)[0]) == 'interrupted in Trainer'


def run_with(**properties) -> Run:
    import datetime

    nodes = tuple(
        NodeResult(node, 'complete', {key: Output(1, '/x', values)}, 1.0)
        for (node, key), values in properties['outputs'].items()
    )
    return Run('r', datetime.datetime.now(tz=datetime.UTC), nodes)


@pytest.mark.parametrize(
    ('blessed', 'pushed', 'words'),
    [
        (1, {'pushed': 1}, 'blessed, pushed as 17'),
        (1, {'pushed': 1, 'already_there': 1}, 'blessed, already there as 17'),
        (1, {'pushed': 0}, 'blessed'),
        (0, {'pushed': 0}, 'not blessed'),
    ],
)
def test_outcomes(blessed, pushed, words):
    run = run_with(
        outputs={
            ('Evaluator', 'blessing'): {'blessed': blessed},
            ('Pusher', 'pushed_model'): {**pushed, 'pushed_version': '17'},
        }
    )
    assert runs.outcome(run) == words


def test_accuracy_with_interval_or_a_dash():
    numbers = {'val_accuracy': 0.881, 'val_lower': 0.852, 'val_upper': 0.906}
    run = run_with(outputs={('Evaluator', 'evaluation'): numbers})
    assert runs.accuracy(run, 'val') == '88.1 % (85.2 to 90.6 %)'
    assert runs.accuracy(run, 'test') == '-'


@pytest.mark.parametrize('width', [80, 116])
def test_no_number_and_no_outcome_is_cut_off(width):
    numbers = {
        f'{split}_{end}': share
        for split in ('val', 'test')
        for end, share in (('accuracy', 0.881), ('lower', 0.852), ('upper', 0.906))
    }
    run = dataclasses.replace(
        run_with(outputs={('Evaluator', 'evaluation'): numbers}), id='20260102-100000.000'
    )
    out = io.StringIO()
    rich.console.Console(file=out, width=width).print(runs.table([run], wide=width > 80))
    text = out.getvalue()
    assert text.count('88.1 % (85.2 to 90.6 %)') == 2
    assert run.id in text and 'ended' in text and '…' not in text
