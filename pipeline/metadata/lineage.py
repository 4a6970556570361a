"""All of a project's metadata at once, in memory: which execution made what from what.

A handful of queries a run, where asking execution by execution would take thousands.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.pipeline.metadata import runs as metadata
from thawline.pipeline.metadata.runs import Output

# Types of executions that are none of a pipeline's nodes; see `ledger`.
PROMOTION, PRUNE = 'thawline.Promotion', 'thawline.Prune'
# What is read to compare with, and leads to nothing that the reader makes.
_ASIDE = ('baseline_model', 'previous')
# A resolver's findings are none of its own making, and are INTERNAL_OUTPUT.
_SIDES = {pb.Event.INPUT: 'inputs', pb.Event.OUTPUT: 'outputs'}

Ids = Mapping[str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Execution:
    """One execution.

    Attributes:
        id: of the execution.
        kind: name of its type.
        node, run: its place in a pipeline; empty for a promotion and its like.
        state: one of the values of `metadata.STATES`.
        began: when it was put.
        seconds: from then to its last change.
        properties: what is noted of it.
        inputs, outputs: ids of artifacts by key.
    """

    id: int
    kind: str
    node: str
    run: str
    state: str
    began: datetime.datetime
    seconds: float
    properties: Mapping[str, Any]
    inputs: Ids
    outputs: Ids

    @property
    def good(self) -> bool:
        """Whether it ended well."""
        return self.state in metadata.GOOD_STATES


class Lineage:
    """Artifacts by id, executions in the order in which they began."""

    def __init__(self, artifacts: Mapping[int, Output], executions: Sequence[Execution]) -> None:
        self.artifacts = artifacts
        self.executions = executions
        self._makers: dict[int, Execution] = {}
        self._users: dict[int, list[Execution]] = collections.defaultdict(list)
        for one in executions:
            for ids in one.outputs.values():
                for artifact in ids:
                    if one.state == 'complete':  # a cached execution made none of its outputs
                        self._makers.setdefault(artifact, one)
            for ids in one.inputs.values():
                for artifact in ids:
                    self._users[artifact].append(one)

    def of_node(self, node: str) -> list[Execution]:
        """Executions of a node of the pipeline."""
        return [one for one in self.executions if one.node == node]

    def of_kind(self, *kinds: str) -> list[Execution]:
        """Executions of some types."""
        return [one for one in self.executions if one.kind in kinds]

    def maker(self, artifact: int) -> Execution | None:
        """The execution that made an artifact."""
        return self._makers.get(artifact)

    def users(self, artifact: int) -> list[Execution]:
        """Executions that read an artifact."""
        return self._users.get(artifact, [])

    def output(self, of: Execution | None, key: str) -> Output | None:
        """The one output of an execution under a key."""
        ids = of.outputs.get(key, ()) if of else ()
        return self.artifacts.get(ids[0]) if ids else None

    def newest_user(self, artifact: int, key: str, made: str) -> Execution | None:
        """The newest good execution that read the artifact as `key` and put out a `made`."""
        found = [
            one
            for one in self.users(artifact)
            if one.good and artifact in one.inputs.get(key, ()) and made in one.outputs
        ]
        return found[-1] if found else None

    def ancestors(self, artifact: int) -> list[Execution]:
        """All executions without which the artifact would not be, in order of their start.

        The way of `components.shared.lineage.steps`: not by what it was only compared with.
        """
        found: dict[int, Execution] = {}
        ahead = [artifact]
        while ahead:
            one = self.maker(ahead.pop())
            if one is not None and one.id not in found:
                found[one.id] = one
                ahead += [i for key, ids in one.inputs.items() if key not in _ASIDE for i in ids]
        return [found[id_] for id_ in sorted(found)]


def read(store: mlmd.MetadataStore, pipeline: str | None = None) -> Lineage:
    """Everything that the store holds; of one pipeline where it may hold several."""
    kinds = {kind.id: kind.name for kind in store.get_execution_types()}
    executions = sorted(_executions(store, pipeline, kinds), key=lambda one: one.id)
    ids = [one.id for one in executions]
    nodes = metadata.nodes_of_executions(store, pipeline)
    runs = _runs(store, pipeline, nodes)
    artifacts: set[int] = set()
    sides: dict[str, dict[int, dict[str, list[tuple[int, int]]]]] = {
        side: collections.defaultdict(dict) for side in _SIDES.values()
    }
    for event in _events(store, ids):
        artifacts.add(event.artifact_id)
        if event.type in _SIDES:
            steps = event.path.steps
            key, place = (steps[0].key if steps else ''), (steps[1].index if len(steps) > 1 else 0)
            of_execution = sides[_SIDES[event.type]][event.execution_id]
            of_execution.setdefault(key, []).append((place, event.artifact_id))
    return Lineage(
        {
            one.id: Output(one.id, one.uri, metadata.properties(one))
            for part in metadata.batches(sorted(artifacts))
            for one in store.get_artifacts_by_id(part)
        },
        [
            Execution(
                id=one.id,
                kind=kinds.get(one.type_id, ''),
                node=nodes.get(one.id, ''),
                run=runs.get(one.id, ''),
                state=metadata.STATES.get(one.last_known_state, 'unknown'),
                began=_time(one.create_time_since_epoch),
                seconds=(one.last_update_time_since_epoch - one.create_time_since_epoch) / 1000,
                properties=metadata.properties(one),
                inputs=_in_order(sides['inputs'][one.id]),
                outputs=_in_order(sides['outputs'][one.id]),
            )
            for one in executions
        ],
    )


def _executions(
    store: mlmd.MetadataStore, pipeline: str | None, kinds: Mapping[int, str]
) -> list[pb.Execution]:
    """What a pipeline ran, and what was done with its models.

    The latter are of the pipeline's context like the former; those of before there were databases
    to share are not, and belong to whom their artifacts do.
    """
    if pipeline is None:
        return list(store.get_executions())
    names = {one.name: one.id for one in metadata.contexts_of_type(store, 'pipeline')}
    if pipeline not in names:
        return []
    mine = store.get_executions_by_context(names[pipeline])
    known = {one.id for one in mine}
    loose = [
        one
        for kind in set(kinds.values()) & {PROMOTION, PRUNE}
        for one in store.get_executions_by_type(kind)
        if one.id not in known and not _has_context(store, one.id)
    ]
    if len(names) == 1:
        return [*mine, *loose]
    artifacts = {event.artifact_id for event in _events(store, sorted(known))}
    for one in sorted(loose, key=lambda one: one.id):
        touched = {event.artifact_id for event in _events(store, [one.id])}
        if touched & artifacts:
            artifacts |= touched
            mine.append(one)
    return list(mine)


def _has_context(store: mlmd.MetadataStore, execution: int) -> bool:
    try:
        return bool(store.get_contexts_by_execution(execution))
    except mlmd.errors.NotFoundError:
        return False


def _runs(
    store: mlmd.MetadataStore, pipeline: str | None, nodes: Collection[int]
) -> dict[int, str]:
    """The run of each execution of a node."""
    found: dict[int, str] = {}
    for context in metadata.run_contexts(store, pipeline):
        if pipeline is not None and len(found) == len(nodes):
            break  # other pipelines' runs would follow
        for execution in store.get_executions_by_context(context.id):
            if execution.id in nodes:
                found[execution.id] = context.name
    return found


def _events(store: mlmd.MetadataStore, executions: Sequence[int]) -> Iterator[pb.Event]:
    for part in metadata.batches(executions):
        yield from store.get_events_by_execution_ids(part)


def _in_order(found: Mapping[str, list[tuple[int, int]]]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(artifact for _, artifact in sorted(ids)) for key, ids in found.items()}


def _time(milliseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(milliseconds / 1000).astimezone()
