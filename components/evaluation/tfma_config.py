"""The evaluation as TFMA expresses it: models, slices, the metric and one threshold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

# tfma.EvalConfig is missing until tfx has been imported, hence the order of these two.
import tfx.components  # noqa: F401  isort: skip
import tensorflow_model_analysis as tfma  # isort: skip

from thawline.components.evaluation import tfma_metrics
from thawline.components.evaluation.gate.params import Gate
from thawline.components.shared.splits import VAL

CANDIDATE, BASELINE = 'candidate', 'baseline'
LONE = ''  # the name that TFMA gives to the only model


def build(
    gate: Gate,
    classes: Sequence[str],
    sliced: Iterable[Sequence[str]],
    smallest_slice: int,
    has_baseline: bool,
) -> tfma.EvalConfig:
    """The evaluation of one candidate and, where there is one, a baseline.

    `val` and `test` are evaluated together and told apart by slicing on the feature `split`. Of the
    gate TFMA knows the threshold on val accuracy alone. What compares splits, classes or models is
    judged in `gate`: TFMA's thresholds see one slice at a time, and its thresholds on a change are
    skipped without a baseline and know nothing of chance.

    Args:
        gate: its threshold on val accuracy.
        classes: of the candidate.
        sliced: columns to slice each split on, alone or together.
        smallest_slice: slices with fewer images are marked.
        has_baseline: whether the baseline's predictions are there.
    """
    names = (CANDIDATE, BASELINE) if has_baseline else (LONE,)
    metric = tfma_metrics.SliceScores
    spec = tfma.MetricsSpec(
        model_names=names,
        metrics=[
            tfma.MetricConfig(
                class_name=metric.__name__,
                module=metric.__module__,
                config=json.dumps({'classes': list(classes), 'smallest_slice': smallest_slice}),
            )
        ],
    )
    by_bound = gate.strictness == 'bound'
    judged = tfma_metrics.GATE_BOUND if by_bound else tfma_metrics.ACCURACY
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
                name=name,
                is_baseline=name == BASELINE,
                signature_name='serving_default',
                label_key='label',
                prediction_key='probabilities',
            )
            for name in names
        ],
        slicing_specs=[tfma.SlicingSpec(feature_keys=keys) for keys in columns],
        metrics_specs=[spec],
    )
