"""Which executions led to some artifacts, as ML Metadata knows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

# Keys of inputs that are only compared with, and lead to nothing that the execution makes.
COMPARED = ('baseline_model', 'baseline_evaluation', 'baseline_seen_examples', 'previous')

Ids = Mapping[str, Collection[int]]  # of artifacts, by what an execution calls them


@dataclasses.dataclass(frozen=True)
class Step:
    """One execution that made artifacts.

    Attributes:
        node: its name in the pipeline.
        run: the run in which it was executed; later ones took its results from the cache.
        seconds: from its start to its end.
        outputs: ids of what it made, by key.
    """

    node: str
    run: str
    seconds: float
    outputs: dict[str, int]


def ancestors(
    artifacts: Collection[int], inputs_of_producers: Callable[[Collection[int]], Mapping[int, Ids]]
) -> list[int]:
    """Ids of all executions without which the artifacts would not be, in the order of their start.

    Args:
        artifacts: ids.
        inputs_of_producers: of some artifacts, the executions that made them, with ids of what each
            read by key.
    """
    executions: set[int] = set()
    seen: set[int] = set()
    ahead = set(artifacts)
    while ahead:
        seen |= ahead
        producers = inputs_of_producers(ahead)
        executions |= producers.keys()
        ahead = {
            artifact
            for inputs in producers.values()
            for key, ids in inputs.items()
            if key not in COMPARED
            for artifact in ids
        } - seen
    return sorted(executions)


def producers(store: mlmd.MetadataStore, artifacts: Collection[int]) -> list[pb.Execution]:
    """The executions that made some artifacts."""
    events = store.get_events_by_artifact_ids(sorted(artifacts))
    ids = {event.execution_id for event in events if event.type == pb.Event.OUTPUT}
    return [
        execution
        for execution in (store.get_executions_by_id(sorted(ids)) if ids else ())
        # A cached execution has the same outputs and made none of them.
        if execution.last_known_state == pb.Execution.COMPLETE
    ]


def steps(store: mlmd.MetadataStore, artifacts: Collection[int]) -> list[Step]:
    """All executions without which the artifacts would not be, in the order of their start.

    What led to the model that a candidate was compared with is not among them.
    """
    found: dict[int, Step] = {}

    def inputs_of_producers(some: Collection[int]) -> Mapping[int, Ids]:
        executions = {execution.id: execution for execution in producers(store, some)}
        events = store.get_events_by_execution_ids(sorted(executions)) if executions else []
        inputs: dict[int, dict[str, list[int]]] = {id_: {} for id_ in executions}
        for event in events:
            if event.type == pb.Event.INPUT:
                inputs[event.execution_id].setdefault(key(event), []).append(event.artifact_id)
        for id_, execution in executions.items():
            found[id_] = _step(store, execution, (e for e in events if e.execution_id == id_))
        return inputs

    return [found[id_] for id_ in ancestors(artifacts, inputs_of_producers)]


def _step(store: mlmd.MetadataStore, execution: pb.Execution, edges: Iterable[pb.Event]) -> Step:
    names = {
        context.type: context.name for context in store.get_contexts_by_execution(execution.id)
    }
    lasted = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    return Step(
        names.get('node', '').removeprefix(f'{names.get("pipeline", "")}.'),
        names.get('pipeline_run', ''),
        lasted / 1000,
        {key(e): e.artifact_id for e in edges if e.type == pb.Event.OUTPUT},
    )


def key(event: pb.Event) -> str:
    """What the node calls the artifact."""
    return event.path.steps[0].key if event.path.steps else ''
