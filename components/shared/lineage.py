"""Which executions led to some artifacts, as ML Metadata knows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

_BASELINE = 'baseline_model'


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


def steps(store: mlmd.MetadataStore, artifacts: Collection[int]) -> list[Step]:
    """All executions without which the artifacts would not be, in the order of their start.

    What led to the model that a candidate was compared with is not among them.
    """
    found: dict[int, Step] = {}
    seen: set[int] = set()
    ahead = set(artifacts)
    while ahead:
        seen |= ahead
        events = store.get_events_by_artifact_ids(sorted(ahead))
        made = {e.execution_id for e in events if e.type == pb.Event.OUTPUT} - found.keys()
        executions = {
            e.id: e
            for e in store.get_executions_by_id(sorted(made))
            # A cached execution has the same outputs and made none of them.
            if e.last_known_state == pb.Execution.COMPLETE
        }
        edges = store.get_events_by_execution_ids(sorted(executions)) if executions else []
        for id_, execution in executions.items():
            found[id_] = _step(store, execution, (e for e in edges if e.execution_id == id_))
        inputs = (e for e in edges if e.type == pb.Event.INPUT and _key(e) != _BASELINE)
        ahead = {e.artifact_id for e in inputs} - seen
    return [found[id_] for id_ in sorted(found)]


def _step(store: mlmd.MetadataStore, execution: pb.Execution, edges: Iterable[pb.Event]) -> Step:
    names = {
        context.type: context.name for context in store.get_contexts_by_execution(execution.id)
    }
    lasted = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    return Step(
        names.get('node', '').removeprefix(f'{names.get("pipeline", "")}.'),
        names.get('pipeline_run', ''),
        lasted / 1000,
        {_key(e): e.artifact_id for e in edges if e.type == pb.Event.OUTPUT},
    )


def _key(event: pb.Event) -> str:
    """What the node calls the artifact."""
    return event.path.steps[0].key if event.path.steps else ''
