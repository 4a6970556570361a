"""How many models were judged by the same val images before.

Found through ML Metadata while the Evaluator works, so that the number is no part of its cache key:
an evaluation that is there stays as it is, and the same model again is no second look.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from tfx.types.artifact import Artifact

from thawline.components.evaluation import predictions
from thawline.components.shared import lineage
from thawline.components.shared.errors import DataError
from thawline.components.shared.splits import VAL

import ml_metadata as mlmd  # isort: skip - after tfx, whose import order it depends on
from ml_metadata.proto import metadata_store_pb2 as pb  # isort: skip

_SAME = 0.5  # share of the images that are judged now


def earlier_models(
    store: mlmd.MetadataStore | None,
    candidate: int,
    evaluation: Artifact,
    judged: Collection[str],
) -> int:
    """How many models older than the candidate were judged by at least half of these images.

    One whose evaluation can no longer be read counts: that it was deleted undoes no look.

    Args:
        store: None where nothing is known, which gives 0.
        candidate: id of the model.
        evaluation: of the candidate; the others of its project lie beside it.
        judged: ids of the val images.
    """
    if store is None or not judged:
        return 0
    place = os.path.dirname(evaluation.uri)
    others = {
        artifact.id: artifact.uri
        for artifact in store.get_artifacts_by_type(evaluation.type_name)
        if os.path.dirname(artifact.uri) == place and artifact.uri != evaluation.uri
    }
    if not others:
        return 0
    finished = [execution.id for execution in lineage.producers(store, others)]
    read: dict[int, int] = {}  # the model that each execution judged
    wrote: dict[int, str] = {}
    for event in store.get_events_by_execution_ids(finished) if finished else ():
        if event.type == pb.Event.INPUT and lineage.key(event) == 'model':
            read[event.execution_id] = event.artifact_id
        elif event.type == pb.Event.OUTPUT and event.artifact_id in others:
            wrote[event.execution_id] = others[event.artifact_id]
    images = frozenset(judged)
    return len(
        {
            read[execution]
            for execution, uri in wrote.items()
            if read.get(execution, candidate) < candidate and _saw(uri, images)
        }
    )


def _saw(uri: str, images: frozenset[str]) -> bool:
    try:
        table = predictions.read(uri)
    except DataError:
        return True
    seen = table.ids[(table.splits == VAL) & table.labelled].tolist()
    return len(images.intersection(seen)) >= _SAME * len(images)
