"""Where a model comes from, as values that travel with it. Needs neither TensorFlow nor TFX."""

from __future__ import annotations

from collections.abc import Mapping

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.saved_model.card import EvaluatedAccuracy, ModelOrigin
from thawline.components.shared import lineage as lineage_lib
from thawline.components.shared.property_names import SOURCE_FINGERPRINT
from thawline.components.statistics.proportions import wilson
from thawline.components.training.record import BaseRecord


def run_and_data(
    store: mlmd.MetadataStore | None, model_id: int, examples_id: int
) -> dict[str, str]:
    """What the metadata alone knows: `run` that trained the model, `data` fingerprint."""
    if store is None:
        return {}
    known = {}
    if (trained := _producer(store, model_id)) is not None:
        names = {c.type: c.name for c in store.get_contexts_by_execution(trained.id)}
        known['run'] = names.get('pipeline_run', '')
    if (ingested := _producer(store, examples_id)) is not None:
        for values in (ingested.custom_properties, ingested.properties):
            if SOURCE_FINGERPRINT in values:
                known['data'] = values[SOURCE_FINGERPRINT].string_value
    return {name: value for name, value in known.items() if value}


def _producer(store: mlmd.MetadataStore, artifact: int) -> pb.Execution | None:
    return min(lineage_lib.producers(store, [artifact]), key=lambda e: e.id, default=None)


def lineage(
    known: Mapping[str, str],
    model_id: int,
    base: BaseRecord,
    accuracies: Mapping[str, tuple[int, int]],
    blessed: bool,
) -> ModelOrigin:
    """What the card says.

    Args:
        known: of `run_and_data`.
        model_id: of the model in ML Metadata.
        base: the Trainer's record of it.
        accuracies: split -> (images answered right, labelled images).
        blessed: whether the gate has blessed it.
    """
    intervals = {split: wilson(hits, n) for split, (hits, n) in accuracies.items()}
    return ModelOrigin(
        run=known.get('run'),
        data=known.get('data'),
        model_id=model_id,
        base={
            'backbone': base.backbone,
            'weights': base.weights,
            'weights_digest': base.weights_digest,
        },
        accuracy={
            split: EvaluatedAccuracy(i.share, i.lower, i.upper, i.n)
            for split, i in intervals.items()
        },
        blessed=blessed,
    )
