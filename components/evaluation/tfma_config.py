"""The evaluation as TFMA expresses it: the model, slices, the metric and one threshold."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence

# tfma.EvalConfig is missing until tfx has been imported, hence the order of these two.
import tfx.components  # noqa: F401  isort: skip
import tensorflow_model_analysis as tfma  # isort: skip

from thawline.components.evaluation import tfma_metrics
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.units import Joining
from thawline.components.shared.splits import VAL
from thawline.components.statistics.clustered_bound import ALPHA

MODEL = ''  # the name that TFMA gives to the only model


def build(
    gate: Gate,
    classes: Sequence[str],
    sliced: Iterable[Sequence[str]],
    smallest_slice: int,
    joining: Joining | None = None,
    alpha: float = ALPHA,
) -> tfma.EvalConfig:
    """The evaluation of one candidate.

    `val` and `test` are evaluated together and told apart by slicing on the feature `split`. Of the
    gate TFMA knows the threshold on val accuracy alone. What compares splits, classes or models is
    judged in `gate`: TFMA's thresholds see one slice at a time, those on a change know nothing of
    chance, and its metrics of a baseline would include images that the baseline was trained on.

    Args:
        gate: its threshold on val accuracy.
        classes: of the candidate.
        sliced: columns to slice each split on, alone or together.
        smallest_slice: slices with fewer images are marked.
        joining: how the gate joins images to units; None where it judges images.
        alpha: of the gate's bound.
    """
    joined = None if joining is None else dataclasses.asdict(joining)
    settings = {
        'classes': list(classes),
        'smallest_slice': smallest_slice,
        'joining': joined,
        'alpha': alpha,
    }
    metric = tfma_metrics.SliceScores
    spec = tfma.MetricsSpec(
        metrics=[
            tfma.MetricConfig(
                class_name=metric.__name__,
                module=metric.__module__,
                config=json.dumps(settings),
            )
        ],
    )
    by_bound = gate.strictness == 'bound'
    judged = tfma_metrics.GATE_BOUND if by_bound else tfma_metrics.GATE_ACCURACY
    spec.per_slice_thresholds[judged].thresholds.add(
        slicing_specs=[tfma.SlicingSpec(feature_values={'split': VAL})],
        threshold=tfma.MetricThreshold(
            value_threshold=tfma.GenericValueThreshold(lower_bound={'value': gate.val_accuracy})
        ),
    )
    columns = [(), ('split',), ('split', 'label'), *(('split', *group) for group in sliced)]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name='serving_default',
                label_key='label',
                prediction_key='probabilities',
            )
        ],
        slicing_specs=[tfma.SlicingSpec(feature_keys=keys) for keys in columns],
        metrics_specs=[spec],
    )
