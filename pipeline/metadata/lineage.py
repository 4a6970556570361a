"""All metadata of a project in memory: executions with their inputs and outputs.

A handful of queries per run, where one query per execution would be thousands.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import deployments, lineage
from thawline.pipeline.metadata import execution_states
from thawline.pipeline.metadata import runs as metadata
from thawline.pipeline.metadata.runs import Output

# Types of executions that are not nodes of a pipeline; see `registry.ledger`.
PROMOTION, PRUNE = deployments.PROMOTION, 'thawline.Prune'
# A resolver makes none of its outputs, which are INTERNAL_OUTPUT.
_SIDES = {pb.Event.INPUT: 'inputs', pb.Event.OUTPUT: 'outputs'}

Ids = Mapping[str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Execution:
    """One execution.

    Attributes:
        id: its number.
        type: name of its type.
        node, run: its place in a pipeline; empty for a promotion or prune.
        state: a value of `execution_states.STATES`.
        began: when it was recorded.
        seconds: from then to its last change.
        properties: all of them, by name.
        inputs, outputs: ids of artifacts by key.
    """

    id: int
    type: str
    node: str
    run: str
    state: str
    began: datetime.datetime
    seconds: float
    properties: Mapping[str, Any]
    inputs: Ids
    outputs: Ids

    @property
    def succeeded(self) -> bool:
        return self.state in execution_states.SUCCESS_STATES


class Lineage:
    """Artifacts by id, and executions in the order in which they began."""

    def __init__(self, artifacts: Mapping[int, Output], executions: Sequence[Execution]) -> None:
        self.artifacts = artifacts
        self.executions = executions
        self._producers: dict[int, Execution] = {}
        self._consumers: dict[int, list[Execution]] = collections.defaultdict(list)
        for execution in executions:
            if execution.state == 'complete':  # a cached execution made none of its outputs
                for artifact in _all_ids(execution.outputs):
                    self._producers.setdefault(artifact, execution)
            for artifact in _all_ids(execution.inputs):
                self._consumers[artifact].append(execution)

    def of_node(self, node: str) -> list[Execution]:
        """Executions of a node of the pipeline."""
        return [execution for execution in self.executions if execution.node == node]

    def of_type(self, name: str) -> list[Execution]:
        """Executions of a type."""
        return [execution for execution in self.executions if execution.type == name]

    def producer(self, artifact: int) -> Execution | None:
        """The execution that made an artifact."""
        return self._producers.get(artifact)

    def consumers(self, artifact: int) -> list[Execution]:
        """Executions that read an artifact."""
        return self._consumers.get(artifact, [])

    def output(self, execution: Execution | None, key: str) -> Output | None:
        """The first output of an execution under a key."""
        ids = execution.outputs.get(key, ()) if execution else ()
        return self.artifacts.get(ids[0]) if ids else None

    def newest_consumer(self, artifact: int, output: str, key: str = '') -> Execution | None:
        """The newest successful execution that read an artifact, as `key`, and has an `output`."""
        matching = [
            execution
            for execution in self.consumers(artifact)
            if execution.succeeded
            and output in execution.outputs
            and (not key or artifact in execution.inputs.get(key, ()))
        ]
        return matching[-1] if matching else None

    def ancestors(self, artifact: int) -> list[Execution]:
        """All executions that the artifact derives from, in the order of their start."""

        def inputs_of_producers(artifacts: Collection[int]) -> dict[int, Ids]:
            producers = (self.producer(number) for number in artifacts)
            return {execution.id: execution.inputs for execution in producers if execution}

        derived_from = set(lineage.ancestors([artifact], inputs_of_producers))
        return [execution for execution in self.executions if execution.id in derived_from]


def _all_ids(by_key: Ids) -> Iterator[int]:
    for ids in by_key.values():
        yield from ids


def read(store: mlmd.MetadataStore, pipeline: str | None = None) -> Lineage:
    """Everything in the store, or what belongs to one of its pipelines."""
    types = {kind.id: kind.name for kind in store.get_execution_types()}
    executions = sorted(_executions(store, pipeline, types), key=lambda execution: execution.id)
    nodes = metadata.nodes_of_executions(store, pipeline)
    runs = _runs(store, pipeline, nodes)
    artifacts: set[int] = set()
    sides: dict[str, dict[int, dict[str, list[tuple[int, int]]]]] = {
        side: collections.defaultdict(dict) for side in _SIDES.values()
    }
    for event in _events(store, [execution.id for execution in executions]):
        artifacts.add(event.artifact_id)
        if event.type in _SIDES:
            steps = event.path.steps
            key, index = (steps[0].key if steps else ''), (steps[1].index if len(steps) > 1 else 0)
            by_key = sides[_SIDES[event.type]][event.execution_id]
            by_key.setdefault(key, []).append((index, event.artifact_id))
    return Lineage(
        {
            artifact.id: Output(artifact.id, artifact.uri, metadata.properties(artifact))
            for batch in metadata.batches(sorted(artifacts))
            for artifact in store.get_artifacts_by_id(batch)
        },
        [
            Execution(
                id=execution.id,
                type=types.get(execution.type_id, ''),
                node=nodes.get(execution.id, ''),
                run=runs.get(execution.id, ''),
                state=execution_states.STATES.get(execution.last_known_state, 'unknown'),
                began=metadata.local_time(execution.create_time_since_epoch),
                seconds=metadata.duration(execution),
                properties=metadata.properties(execution),
                inputs=_in_order(sides['inputs'][execution.id]),
                outputs=_in_order(sides['outputs'][execution.id]),
            )
            for execution in executions
        ],
    )


def _executions(
    store: mlmd.MetadataStore, pipeline: str | None, types: Mapping[int, str]
) -> list[pb.Execution]:
    """Executions of a pipeline's nodes, and promotions and prunes of its models.

    The latter are in the pipeline's context too; old ones, from before databases could be shared,
    are in none, and belong to the pipeline of their artifacts.
    """
    if pipeline is None:
        return list(store.get_executions())
    pipelines = {
        context.name: context.id for context in metadata.contexts_of_type(store, 'pipeline')
    }
    if pipeline not in pipelines:
        return []
    own = list(store.get_executions_by_context(pipelines[pipeline]))
    known = {execution.id for execution in own}
    loose = [
        execution
        for name in set(types.values()) & {PROMOTION, PRUNE}
        for execution in store.get_executions_by_type(name)
        if execution.id not in known and not _has_context(store, execution.id)
    ]
    if len(pipelines) == 1:
        return [*own, *loose]
    artifacts = {event.artifact_id for event in _events(store, sorted(known))}
    for execution in sorted(loose, key=lambda execution: execution.id):
        touched = {event.artifact_id for event in _events(store, [execution.id])}
        if touched & artifacts:
            artifacts |= touched
            own.append(execution)
    return own


def _has_context(store: mlmd.MetadataStore, execution: int) -> bool:
    try:
        return bool(store.get_contexts_by_execution(execution))
    except mlmd.errors.NotFoundError:
        return False


def _runs(
    store: mlmd.MetadataStore, pipeline: str | None, nodes: Collection[int]
) -> dict[int, str]:
    """The run of each execution of a node."""
    runs: dict[int, str] = {}
    for context in metadata.run_contexts(store, pipeline):
        if pipeline is not None and len(runs) == len(nodes):
            break  # only runs of other pipelines follow
        for execution in store.get_executions_by_context(context.id):
            if execution.id in nodes:
                runs[execution.id] = context.name
    return runs


def _events(store: mlmd.MetadataStore, executions: Sequence[int]) -> Iterator[pb.Event]:
    for batch in metadata.batches(executions):
        yield from store.get_events_by_execution_ids(batch)


def _in_order(by_key: Mapping[str, list[tuple[int, int]]]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(artifact for _, artifact in sorted(ids)) for key, ids in by_key.items()}
