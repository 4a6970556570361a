"""Who made what, in a real store."""

from __future__ import annotations

import pathlib

import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import lineage, metadata_store


def connection_to(path: pathlib.Path) -> pb.ConnectionConfig:
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return config


class Recorder:
    """Writes executions as TFX does: contexts of pipeline, run and node; events with keys."""

    def __init__(self, store: mlmd.MetadataStore) -> None:
        self.store = store
        self.types = {
            name: store.put_context_type(pb.ContextType(name=name))
            for name in ('pipeline', 'pipeline_run', 'node')
        }
        self.execution_type = store.put_execution_type(pb.ExecutionType(name='Execution'))
        self.artifact_type = store.put_artifact_type(pb.ArtifactType(name='Thing'))

    def artifact(self, **properties: int) -> int:
        artifact = pb.Artifact(type_id=self.artifact_type)
        for name, value in properties.items():
            artifact.custom_properties[name].int_value = value
        (made,) = self.store.put_artifacts([artifact])
        return made

    def run(
        self, node: str, run: str, inputs: dict[str, int], outputs: dict[str, int], state: int
    ) -> None:
        execution = pb.Execution(type_id=self.execution_type, last_known_state=state)
        events = []
        for kind, named in ((pb.Event.INPUT, inputs), (pb.Event.OUTPUT, outputs)):
            for key, i in named.items():
                event = pb.Event(type=kind)
                event.path.steps.add(key=key)
                event.path.steps.add(index=0)
                (artifact,) = self.store.get_artifacts_by_id([i])
                events.append((artifact, event))
        contexts = [
            pb.Context(type_id=self.types[kind], name=name)
            for kind, name in (('pipeline', 'p'), ('pipeline_run', run), ('node', f'p.{node}'))
        ]
        self.store.put_execution(execution, events, contexts, reuse_context_if_already_exist=True)


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_steps_are_those_that_made_it_and_not_the_cache(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'metadata.sqlite'
    recorder = Recorder(metadata_store.open_store(connection_to(path)))
    images, model, other, evaluation, others, old = (recorder.artifact() for _ in range(6))
    done, cached = pb.Execution.COMPLETE, pb.Execution.CACHED
    recorder.run('Images', 'r1', {}, {'examples': images}, done)
    recorder.run('Trainer', 'r1', {'examples': images}, {'model': model}, done)
    recorder.run('Images', 'r2', {}, {'examples': images}, cached)
    recorder.run('Trainer', 'r2', {'examples': images}, {'model': other}, done)
    recorder.run('Trainer', 'r3', {'examples': images}, {'model': model}, cached)
    recorder.run('Images', 'r3', {}, {'examples': others}, done)
    compared = {'model': model, 'baseline_model': other, 'baseline_seen_examples': others}
    recorder.run('Evaluator', 'r2', {}, {'evaluation': old}, done)
    compared['baseline_evaluation'] = old
    recorder.run('Evaluator', 'r3', compared, {'evaluation': evaluation}, done)

    with metadata_store.lend(connection_to(path)):
        store = metadata_store.lent_store()
    assert store is not None
    found = lineage.steps(store, [evaluation])
    assert [(step.node, step.run, step.outputs) for step in found] == [
        ('Images', 'r1', {'examples': images}),
        ('Trainer', 'r1', {'model': model}),
        ('Evaluator', 'r3', {'evaluation': evaluation}),
    ]
    assert all(step.seconds >= 0 for step in found)
    assert [step.node for step in lineage.steps(store, [images, other])] == ['Images', 'Trainer']


def test_metadata_are_lent_for_a_time(tmp_path: pathlib.Path) -> None:
    assert metadata_store.lent_store() is None
    with pytest.raises(KeyError), metadata_store.lend(connection_to(tmp_path / 'a.sqlite')):
        assert metadata_store.lent_store() is not None
        raise KeyError
    assert metadata_store.lent_store() is None
