"""Reads what ML Metadata knows of runs. Needs neither TensorFlow nor TFX."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import percentages, property_names

STATES = {
    pb.Execution.COMPLETE: 'complete',
    pb.Execution.CACHED: 'cached',
    pb.Execution.FAILED: 'failed',
    pb.Execution.CANCELED: 'canceled',
    pb.Execution.RUNNING: 'running',
    pb.Execution.NEW: 'running',
}
GOOD_STATES = ('complete', 'cached')
_AT_ONCE = 500  # ids in one question
_NOT_RUN = 'not run'
# Notes on executions, as custom properties; `pipeline.metadata.annotations` writes them.
LACKED_INPUTS = 'lacked_inputs'
SUPERSEDED = 'superseded'
DEFINITION = 'definition'


class Accuracy(NamedTuple):
    """A share of right answers with the ends of its interval."""

    share: float
    lower: float
    upper: float


@dataclasses.dataclass(frozen=True)
class Output:
    """One artifact: where it is and what is noted of it."""

    id: int
    uri: str
    properties: Mapping[str, Any]

    @property
    def blessed(self) -> bool:
        """Of a blessing: whether it is one."""
        return self.properties.get(property_names.BLESSED) == 1

    @property
    def pushed(self) -> bool:
        """Of a PushedModel: whether a model was."""
        return self.properties.get(property_names.PUSHED) == 1

    def accuracy(self, split: str) -> Accuracy | None:
        """Of an evaluation: the accuracy on a split; None where the split was not evaluated."""
        names = (
            f(split) for f in (property_names.accuracy, property_names.lower, property_names.upper)
        )
        noted = [self.properties[name] for name in names if name in self.properties]
        return Accuracy(*map(float, noted)) if noted else None


@dataclasses.dataclass(frozen=True)
class NodeResult:
    """What came of one node in one run."""

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
        definition: digest of what the node was then; empty where nobody noted it.
    """

    id: int
    state: str
    definition: str = ''


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


def _outputs(store: mlmd.MetadataStore, executions: Sequence[int]) -> dict[int, dict[str, Output]]:
    """What executions have put out, by its key; an entry for each of them."""
    keys: dict[int, dict[str, int]] = {one: {} for one in executions}
    for part in batches(executions):
        for event in store.get_events_by_execution_ids(part):
            if event.type in (pb.Event.OUTPUT, pb.Event.INTERNAL_OUTPUT):
                keys[event.execution_id][event.path.steps[0].key] = event.artifact_id
    wanted = sorted({artifact for of in keys.values() for artifact in of.values()})
    there = {
        artifact.id: Output(artifact.id, artifact.uri, properties(artifact))
        for part in batches(wanted)
        for artifact in store.get_artifacts_by_id(part)
    }
    return {
        one: {key: there[artifact] for key, artifact in of.items() if artifact in there}
        for one, of in keys.items()
    }


def batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Ids in portions that one question may hold."""
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


def _state(execution: pb.Execution) -> str:
    if LACKED_INPUTS in execution.custom_properties:
        return _NOT_RUN
    if is_superseded(execution):  # and killed before the next one began
        return 'failed'
    return STATES.get(execution.last_known_state, 'unknown')


def _newest(store: mlmd.MetadataStore, run: pb.Context, of: str | None) -> dict[str, pb.Execution]:
    """Newest execution of each node of a run, in order of the nodes' first start.

    Schedulers name runs by their dates, so pipelines that share a database may share the context of
    a run: `of` is the pipeline that counts.
    """
    found = {}
    for execution in sorted(store.get_executions_by_context(run.id), key=lambda e: e.id):
        contexts = store.get_contexts_by_execution(execution.id)
        pipeline = next((c.name for c in contexts if c.type == 'pipeline'), '')
        named = next((c.name for c in contexts if c.type == 'node'), '')
        if of in (None, pipeline):
            found[named.removeprefix(f'{pipeline}.')] = execution
    return found


def _result(node: str, execution: pb.Execution, outputs: Mapping[str, Output]) -> NodeResult:
    lasted = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    return NodeResult(node, _state(execution), outputs, lasted / 1000)


def contexts_of_type(store: mlmd.MetadataStore, kind: str) -> list[pb.Context]:
    """All contexts of a type; none where there is no such type yet."""
    try:
        return list(store.get_contexts_by_type(kind))
    except mlmd.errors.NotFoundError:
        return []


def run_contexts(store: mlmd.MetadataStore, pipeline: str | None) -> list[pb.Context]:
    """Contexts of runs; last those whose run began under the name of another pipeline."""
    others = {
        child.id
        for one in contexts_of_type(store, 'pipeline')
        if pipeline is not None and one.name != pipeline
        for child in store.get_children_contexts_by_context(one.id)
    }
    return sorted(contexts_of_type(store, 'pipeline_run'), key=lambda c: (c.id in others, c.id))


def node_result(
    store: mlmd.MetadataStore, run_id: str, node: str, pipeline: str | None = None
) -> NodeResult | None:
    """What came of `node` in a run, or None when it left no execution."""
    found = newest_executions(store, run_id, pipeline).get(node)
    return None if found is None else _result(node, found, _outputs(store, [found.id])[found.id])


def node_results(
    store: mlmd.MetadataStore, run_id: str, pipeline: str | None = None
) -> list[NodeResult]:
    """What came of all nodes that ran in a run so far."""
    found = newest_executions(store, run_id, pipeline)
    outputs = _outputs(store, [one.id for one in found.values()])
    return [_result(node, one, outputs[one.id]) for node, one in found.items()]


def newest_executions(
    store: mlmd.MetadataStore, run_id: str, pipeline: str | None
) -> dict[str, pb.Execution]:
    """The newest execution of each node that ran in a run, or was to."""
    run = store.get_context_by_type_and_name('pipeline_run', run_id)
    return {} if run is None else _newest(store, run, pipeline)


def read_attempts(
    store: mlmd.MetadataStore, run_id: str, pipeline: str | None = None
) -> dict[str, Attempt]:
    """The newest execution of each node that ran in a run, or was to."""
    return {
        node: Attempt(
            execution.id,
            _state(execution),
            execution.custom_properties[DEFINITION].string_value,
        )
        for node, execution in newest_executions(store, run_id, pipeline).items()
    }


def accuracy(evaluation: Output, split: str) -> str | None:
    """Accuracy on a split with its interval, in words; None where the split was not evaluated."""
    found = evaluation.accuracy(split)
    if found is None:
        return None
    return f'{percentages.percent(found.share)} ({percentages.between(found.lower, found.upper)})'


def is_superseded(execution: pb.Execution) -> bool:
    """Whether the node ran again in the same run, or is about to."""
    return SUPERSEDED in execution.custom_properties


def read_runs(store: mlmd.MetadataStore, pipeline: str | None = None) -> list[Run]:
    """All runs, oldest first; of one pipeline where the metadata may hold several.

    Asks a handful of questions a run, not some a node: a database may be far away.
    """
    nodes = nodes_of_executions(store, pipeline)
    found: dict[int, dict[str, pb.Execution]] = {}
    begun = run_contexts(store, pipeline)
    left = len(nodes)
    for context in begun:
        # Those that began under another pipeline's name come last, and are rarely needed.
        if not left and pipeline is not None:
            break
        mine = [one for one in store.get_executions_by_context(context.id) if one.id in nodes]
        left -= len(mine)
        if mine or pipeline is None:
            found[context.id] = {nodes[one.id]: one for one in sorted(mine, key=lambda e: e.id)}
    outputs = _outputs(store, [one.id for of in found.values() for one in of.values()])
    return [
        Run(
            context.name,
            datetime.datetime.fromtimestamp(context.create_time_since_epoch / 1000).astimezone(),
            tuple(_result(name, one, outputs[one.id]) for name, one in found[context.id].items()),
        )
        for context in sorted(begun, key=lambda c: c.create_time_since_epoch)
        if context.id in found
    ]


def nodes_of_executions(store: mlmd.MetadataStore, pipeline: str | None) -> dict[int, str]:
    """Name of the node of each execution."""
    return {
        execution.id: context.name.rpartition('.')[2]
        for context in contexts_of_type(store, 'node')
        if pipeline is None or context.name.startswith(f'{pipeline}.')
        for execution in store.get_executions_by_context(context.id)
    }


def latest_complete_run(
    store: mlmd.MetadataStore, nodes: Sequence[str], pipeline: str | None = None
) -> Run | None:
    """The latest run in which all of `nodes` ended well, or None."""
    for run in reversed(read_runs(store, pipeline)):
        states = {result.node: result.state for result in run.nodes}
        if all(states.get(node) in GOOD_STATES for node in nodes):
            return run
    return None
