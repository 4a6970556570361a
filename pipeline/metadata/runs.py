"""Reads runs from ML Metadata. Needs neither TensorFlow nor TFX."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import percentages, property_names
from thawline.pipeline.metadata import execution_states

_BATCH = 500  # ids in one query


class Accuracy(NamedTuple):
    """A share of correct answers with its interval."""

    share: float
    lower: float
    upper: float


@dataclasses.dataclass(frozen=True)
class Output:
    """One artifact: its files and its properties."""

    id: int
    uri: str
    properties: Mapping[str, Any]

    @property
    def blessed(self) -> bool:
        """Whether an artifact that records a blessing records a granted one."""
        return self.properties.get(property_names.BLESSED) == 1

    @property
    def pushed(self) -> bool:
        """Whether an artifact that records a push records a completed one."""
        return self.properties.get(property_names.PUSHED) == 1

    @property
    def already_there(self) -> bool:
        """Whether the version of a completed push was there before it."""
        return self.properties.get(property_names.ALREADY_THERE) == 1

    def accuracy(self, split: str) -> Accuracy | None:
        """The accuracy of an evaluation on a split; None if that was not evaluated."""
        names = (
            f(split) for f in (property_names.accuracy, property_names.lower, property_names.upper)
        )
        values = [self.properties[name] for name in names if name in self.properties]
        return Accuracy(*map(float, values)) if values else None


@dataclasses.dataclass(frozen=True)
class NodeResult:
    """The result of one node in one run."""

    node: str
    state: str
    outputs: Mapping[str, Output]
    seconds: float


@dataclasses.dataclass(frozen=True)
class Attempt:
    """The newest execution of a node in a run.

    Attributes:
        id: rises from execution to execution.
        state: as in `NodeResult`.
        definition: digest of the node as it was compiled then; empty if it was not recorded.
        reused: whether a partial run took it over from an earlier run.
    """

    id: int
    state: str
    definition: str = ''
    reused: bool = False


@dataclasses.dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        id: its name.
        began: when.
        nodes: in the order in which they ran.
        attempts: the newest of each node.
    """

    id: str
    began: datetime.datetime
    nodes: tuple[NodeResult, ...]
    attempts: Mapping[str, Attempt] = dataclasses.field(default_factory=dict)

    def output(self, node: str, key: str) -> Output | None:
        return next((n.outputs.get(key) for n in self.nodes if n.node == node), None)


def properties(record: pb.Artifact | pb.Execution) -> dict[str, Any]:
    """All properties of an artifact or an execution."""
    return {
        name: getattr(value, value.WhichOneof('value') or 'string_value')
        for values in (record.properties, record.custom_properties)
        for name, value in values.items()
    }


def local_time(milliseconds: int) -> datetime.datetime:
    """A time of ML Metadata."""
    return datetime.datetime.fromtimestamp(milliseconds / 1000).astimezone()


def duration(execution: pb.Execution) -> float:
    """Seconds from the start of an execution to its last change."""
    return (execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000


def batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Ids in portions for one query each."""
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))


def contexts_of_type(store: mlmd.MetadataStore, name: str) -> list[pb.Context]:
    """All contexts of a type, which need not exist yet."""
    try:
        return list(store.get_contexts_by_type(name))
    except mlmd.errors.NotFoundError:
        return []


def run_contexts(store: mlmd.MetadataStore, pipeline: str | None) -> list[pb.Context]:
    """Contexts of runs; last those whose run began under the name of another pipeline."""
    others = {
        child.id
        for context in contexts_of_type(store, 'pipeline')
        if pipeline is not None and context.name != pipeline
        for child in store.get_children_contexts_by_context(context.id)
    }
    return sorted(contexts_of_type(store, 'pipeline_run'), key=lambda c: (c.id in others, c.id))


def nodes_of_executions(store: mlmd.MetadataStore, pipeline: str | None) -> dict[int, str]:
    """The node of each execution."""
    return {
        execution.id: context.name.rpartition('.')[2]
        for context in contexts_of_type(store, 'node')
        if pipeline is None or context.name.startswith(f'{pipeline}.')
        for execution in store.get_executions_by_context(context.id)
    }


def newest_executions(
    store: mlmd.MetadataStore, run_id: str, pipeline: str | None
) -> dict[str, pb.Execution]:
    """The newest execution of each node of a run, in the order of the nodes' first start.

    Schedulers name runs by date, so pipelines that share a database may share the context of a run.
    """
    run = store.get_context_by_type_and_name('pipeline_run', run_id)
    newest = {}
    executions = store.get_executions_by_context(run.id) if run else ()
    for execution in sorted(executions, key=lambda execution: execution.id):
        contexts = {c.type: c.name for c in store.get_contexts_by_execution(execution.id)}
        own = contexts.get('pipeline', '')
        if pipeline in (None, own):
            newest[contexts.get('node', '').removeprefix(f'{own}.')] = execution
    return newest


def node_result(
    store: mlmd.MetadataStore, run_id: str, node: str, pipeline: str | None = None
) -> NodeResult | None:
    """The result of `node` in a run; None without an execution."""
    return _results(store, newest_executions(store, run_id, pipeline), node).get(node)


def node_results(
    store: mlmd.MetadataStore, run_id: str, pipeline: str | None = None
) -> list[NodeResult]:
    """The results of all nodes of a run so far."""
    return list(_results(store, newest_executions(store, run_id, pipeline)).values())


def read_attempts(
    store: mlmd.MetadataStore, run_id: str, pipeline: str | None = None
) -> dict[str, Attempt]:
    """The newest execution of each node of a run."""
    return {
        node: _attempt(execution)
        for node, execution in newest_executions(store, run_id, pipeline).items()
    }


def read_runs(store: mlmd.MetadataStore, pipeline: str | None = None) -> list[Run]:
    """All runs, or those of one pipeline, oldest first.

    A handful of queries per run, not per node: a database may be far away.
    """
    nodes = nodes_of_executions(store, pipeline)
    executions: dict[int, dict[str, pb.Execution]] = {}
    contexts = run_contexts(store, pipeline)
    remaining = len(nodes)
    for context in contexts:
        # Those that began under another pipeline's name come last, and are rarely needed.
        if not remaining and pipeline is not None:
            break
        own = [e for e in store.get_executions_by_context(context.id) if e.id in nodes]
        remaining -= len(own)
        if own or pipeline is None:
            executions[context.id] = {nodes[e.id]: e for e in sorted(own, key=lambda e: e.id)}
    outputs = _outputs(store, [e.id for by_node in executions.values() for e in by_node.values()])
    return [
        Run(
            context.name,
            local_time(context.create_time_since_epoch),
            tuple(
                _result(node, execution, outputs[execution.id])
                for node, execution in executions[context.id].items()
            ),
            {node: _attempt(execution) for node, execution in executions[context.id].items()},
        )
        for context in sorted(contexts, key=lambda c: c.create_time_since_epoch)
        if context.id in executions
    ]


def accuracy(evaluation: Output, split: str) -> str | None:
    """Accuracy on a split with its interval, as text; None if it was not evaluated."""
    value = evaluation.accuracy(split)
    if value is None:
        return None
    return f'{percentages.percent(value.share)} ({percentages.between(value.lower, value.upper)})'


def _results(
    store: mlmd.MetadataStore, executions: Mapping[str, pb.Execution], *only: str
) -> dict[str, NodeResult]:
    chosen = {node: e for node, e in executions.items() if not only or node in only}
    outputs = _outputs(store, [execution.id for execution in chosen.values()])
    return {
        node: _result(node, execution, outputs[execution.id]) for node, execution in chosen.items()
    }


def _result(node: str, execution: pb.Execution, outputs: Mapping[str, Output]) -> NodeResult:
    return NodeResult(node, execution_states.state(execution), outputs, duration(execution))


def _attempt(execution: pb.Execution) -> Attempt:
    return Attempt(
        execution.id,
        execution_states.state(execution),
        execution.custom_properties[execution_states.DEFINITION].string_value,
        execution_states.REUSED in execution.custom_properties,
    )


def _outputs(store: mlmd.MetadataStore, executions: Sequence[int]) -> dict[int, dict[str, Output]]:
    """The outputs of each execution, by key."""
    keys: dict[int, dict[str, int]] = {execution: {} for execution in executions}
    for batch in batches(executions):
        for event in store.get_events_by_execution_ids(batch):
            if event.type in (pb.Event.OUTPUT, pb.Event.INTERNAL_OUTPUT):
                keys[event.execution_id][event.path.steps[0].key] = event.artifact_id
    ids = sorted({artifact for by_key in keys.values() for artifact in by_key.values()})
    artifacts = {
        artifact.id: Output(artifact.id, artifact.uri, properties(artifact))
        for batch in batches(ids)
        for artifact in store.get_artifacts_by_id(batch)
    }
    return {
        execution: {
            key: artifacts[artifact] for key, artifact in by_key.items() if artifact in artifacts
        }
        for execution, by_key in keys.items()
    }
