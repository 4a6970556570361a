"""Reads what ML Metadata knows of runs. Needs neither TensorFlow nor TFX."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from components import shares

STATES = {
    pb.Execution.COMPLETE: 'complete',
    pb.Execution.CACHED: 'cached',
    pb.Execution.FAILED: 'failed',
    pb.Execution.CANCELED: 'canceled',
    pb.Execution.RUNNING: 'running',
    pb.Execution.NEW: 'running',
}
GOOD_STATES = ('complete', 'cached')


@dataclasses.dataclass(frozen=True)
class Output:
    """One artifact: where it is and what is noted of it."""

    id: int
    uri: str
    properties: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class NodeResult:
    """What came of one node in one run."""

    node: str
    state: str
    outputs: Mapping[str, Output]
    seconds: float


@dataclasses.dataclass(frozen=True)
class Run:
    """One run: its id, when it began, and its nodes in the order in which they ran."""

    id: str
    began: datetime.datetime
    nodes: tuple[NodeResult, ...]

    def output(self, node: str, key: str) -> Output | None:
        """An output of a node of this run, where it exists."""
        return next((n.outputs.get(key) for n in self.nodes if n.node == node), None)


def _value(value: pb.Value) -> Any:
    return getattr(value, value.WhichOneof('value') or 'string_value')


def properties(of: pb.Artifact | pb.Execution) -> dict[str, Any]:
    """What is noted of an artifact or an execution."""
    return {
        name: _value(value)
        for noted in (of.properties, of.custom_properties)
        for name, value in noted.items()
    }


def _outputs(store: mlmd.MetadataStore, execution_id: int) -> dict[str, Output]:
    keys = {}
    for event in store.get_events_by_execution_ids([execution_id]):
        if event.type in (pb.Event.OUTPUT, pb.Event.INTERNAL_OUTPUT):
            keys[event.artifact_id] = event.path.steps[0].key
    return {
        keys[artifact.id]: Output(artifact.id, artifact.uri, properties(artifact))
        for artifact in store.get_artifacts_by_id(list(keys))
    }


def _results(store: mlmd.MetadataStore, run: pb.Context) -> list[NodeResult]:
    """Newest execution of each node of a run, in order of their start."""
    found: dict[str, NodeResult] = {}
    executions = store.get_executions_by_context(run.id)
    for execution in sorted(executions, key=lambda e: e.id):
        contexts = store.get_contexts_by_execution(execution.id)
        pipeline = next((c.name for c in contexts if c.type == 'pipeline'), '')
        named = next((c.name for c in contexts if c.type == 'node'), '')
        node = named.removeprefix(f'{pipeline}.')
        lasted = execution.last_update_time_since_epoch - execution.create_time_since_epoch
        found[node] = NodeResult(
            node,
            STATES.get(execution.last_known_state, 'unknown'),
            _outputs(store, execution.id),
            lasted / 1000,
        )
    return list(found.values())


def _run_contexts(store: mlmd.MetadataStore) -> list[pb.Context]:
    try:
        return list(store.get_contexts_by_type('pipeline_run'))
    except mlmd.errors.NotFoundError:
        return []


def node_result(store: mlmd.MetadataStore, run_id: str, node: str) -> NodeResult | None:
    """What came of `node` in a run, or None when it left no execution."""
    run = store.get_context_by_type_and_name('pipeline_run', run_id)
    if run is None:
        return None
    return next((result for result in _results(store, run) if result.node == node), None)


def accuracy(evaluation: Output, split: str) -> str | None:
    """Accuracy on a split with its interval, in words; None where the split was not evaluated."""
    if f'{split}_accuracy' not in evaluation.properties:
        return None
    share, lower, upper = (
        evaluation.properties[f'{split}_{end}'] for end in ('accuracy', 'lower', 'upper')
    )
    return f'{shares.percent(share)} ({shares.between(lower, upper)})'


def mark_canceled(store: mlmd.MetadataStore, run_id: str, node: str) -> None:
    """Notes that the node's execution ended because somebody stopped it, not by a fault."""
    run = store.get_context_by_type_and_name('pipeline_run', run_id)
    for execution in store.get_executions_by_context(run.id) if run else ():
        contexts = store.get_contexts_by_execution(execution.id)
        mine = any(c.type == 'node' and c.name.endswith(f'.{node}') for c in contexts)
        if mine and execution.last_known_state in (pb.Execution.FAILED, pb.Execution.RUNNING):
            execution.last_known_state = pb.Execution.CANCELED
            store.put_executions([execution])


def runs(store: mlmd.MetadataStore) -> list[Run]:
    """All runs, oldest first."""
    return [
        Run(
            context.name,
            datetime.datetime.fromtimestamp(context.create_time_since_epoch / 1000).astimezone(),
            tuple(_results(store, context)),
        )
        for context in sorted(_run_contexts(store), key=lambda c: c.create_time_since_epoch)
    ]


def latest_run_with(store: mlmd.MetadataStore, nodes: Sequence[str]) -> Run | None:
    """The latest run in which all of `nodes` ended well, or None."""
    for run in reversed(runs(store)):
        states = {result.node: result.state for result in run.nodes}
        if all(states.get(node) in GOOD_STATES for node in nodes):
            return run
    return None
