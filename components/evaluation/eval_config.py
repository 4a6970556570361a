"""The gate as TFMA expresses it: metrics, slices and the thresholds that bless."""

from __future__ import annotations

import json

# tfma.EvalConfig is missing until tfx has been imported, hence the order of these two.
import tfx.components  # noqa: F401  isort: skip
import tensorflow_model_analysis as tfma  # isort: skip

from components.evaluation import metrics
from components.evaluation.params import Gate
from components.transform.preprocessing import UNKNOWN_CLASS

CANDIDATE, BASELINE = 'candidate', 'baseline'
EVALUATED_SPLITS = ('val', 'test')


def build(gate: Gate, code_digest: str) -> tfma.EvalConfig:
    """The evaluation of one candidate against the gate and, where there is one, a baseline.

    `val` and `test` are evaluated together and told apart by slicing on the feature `split`; the
    thresholds hold for the slice of `val` alone. There is always a threshold on a value: one on a
    change alone is skipped by TFX while there is no baseline and would bless any first model.
    """
    gated = metrics.LOWER if gate.strictness == 'bound' else metrics.ACCURACY
    # The change is judged on the accuracy itself: both models see the same images.
    floor = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={'value': gate.val_accuracy})
    )
    drop = tfma.MetricThreshold(
        change_threshold=tfma.GenericChangeThreshold(
            absolute={'value': -gate.max_drop - 1e-9},
            direction=tfma.MetricDirection.HIGHER_IS_BETTER,
        )
    )
    val = tfma.SlicingSpec(feature_values={'split': 'val'})
    per_slice: dict[str, list[tfma.MetricThreshold]] = {gated: [floor]}
    per_slice.setdefault(metrics.ACCURACY, []).append(drop)

    def model(name: str) -> tfma.ModelSpec:
        return tfma.ModelSpec(
            name=name,
            is_baseline=name == BASELINE,
            signature_name='serving_default',
            prediction_key='probabilities',
            label_key='label_index',
            preprocessing_function_names=['transform_labels'],
        )

    specs = tfma.MetricsSpec(
        metrics=[
            tfma.MetricConfig(
                class_name=metrics.AccuracyInterval.__name__,
                module=metrics.__name__,
                config=json.dumps({'code_digest': code_digest}),
            ),
            # An image of a class that training never saw has no loss, and would end the evaluation.
            tfma.MetricConfig(
                class_name='SparseCategoricalCrossentropy',
                config=json.dumps({'name': 'log_loss', 'ignore_class': UNKNOWN_CLASS}),
            ),
        ],
    )
    for name, thresholds in per_slice.items():
        merged = tfma.MetricThreshold()
        for threshold in thresholds:
            merged.MergeFrom(threshold)
        specs.per_slice_thresholds[name].thresholds.add(slicing_specs=[val], threshold=merged)
    return tfma.EvalConfig(
        model_specs=[model(CANDIDATE), model(BASELINE)],
        slicing_specs=[
            tfma.SlicingSpec(),
            tfma.SlicingSpec(feature_keys=['split']),
            tfma.SlicingSpec(feature_keys=['split', 'label']),
        ],
        metrics_specs=[specs],
    )
