"""Where a model comes from, as values that travel with it. Needs neither TensorFlow nor TFX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

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
) -> dict[str, Any]:
    """What the card says.

    Args:
        known: of `noted`.
        model_id: of the model in ML Metadata.
        base: the Trainer's record of it.
        accuracies: split -> (images answered right, labelled images).
        blessed: whether the gate has blessed it.

    Returns:
        run, data (fingerprint of the source), model_id, base, accuracy by split with the ends of
        its 95 % interval, blessed.
    """
    accuracy = {}
    for split, (hits, n) in accuracies.items():
        interval = wilson(hits, n)
        accuracy[split] = {
            'share': interval.share,
            'lower': interval.lower,
            'upper': interval.upper,
            'images': interval.n,
        }
    return {
        'run': known.get('run'),
        'data': known.get('data'),
        'model_id': model_id,
        'base': {
            'backbone': base.backbone,
            'weights': base.weights,
            'weights_digest': base.weights_digest,
        },
        'accuracy': accuracy,
        'blessed': blessed,
    }
