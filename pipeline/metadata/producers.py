"""What an artifact was made from."""

from __future__ import annotations

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.pipeline.metadata import runs
from thawline.pipeline.metadata.runs import Output


def inputs(store: mlmd.MetadataStore, artifact: int) -> dict[str, list[Output]]:
    """What the execution that made an artifact read, which may be of an earlier run, by key."""
    events = store.get_events_by_artifact_ids([artifact])
    producers = sorted({event.execution_id for event in events if event.type == pb.Event.OUTPUT})
    read = [
        event
        for event in (store.get_events_by_execution_ids(producers) if producers else ())
        if event.type == pb.Event.INPUT
    ]
    ids = sorted({event.artifact_id for event in read})
    artifacts = {
        one.id: Output(one.id, one.uri, runs.properties(one))
        for one in (store.get_artifacts_by_id(ids) if ids else ())
    }
    by_key: dict[str, dict[int, Output]] = {}
    for event in read:
        # An artifact that a node reads under several keys has one event, with all of them.
        for key in (step.key for step in event.path.steps if step.HasField('key')):
            by_key.setdefault(key, {})[event.artifact_id] = artifacts[event.artifact_id]
    return {key: list(outputs.values()) for key, outputs in by_key.items()}
