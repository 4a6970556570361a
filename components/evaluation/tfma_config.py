"""The evaluation as TFMA expresses it: models, slices, metrics and the thresholds that bless."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

# tfma.EvalConfig is missing until tfx has been imported, hence the order of these two.
import tfx.components  # noqa: F401  isort: skip
import tensorflow_model_analysis as tfma  # isort: skip

from thawline.components.evaluation import tfma_metrics
from thawline.components.evaluation.counting import EMPTY
from thawline.components.evaluation.gate import verdict
from thawline.components.evaluation.gate.params import Gate
from thawline.components.statistics.proportions import Interval

CANDIDATE, BASELINE = 'candidate', 'baseline'
LONE = ''  # the name that TFMA gives to the only model
_AT_MOST = ('max_calibration_error', 'max_drop', 'finite_probabilities')


def build(
    gate: Gate,
    classes: Sequence[str],
    sliced: Iterable[Sequence[str]],
    smallest_slice: int,
    has_baseline: bool,
) -> tfma.EvalConfig:
    """The evaluation of one candidate and, where there is one, a baseline.

    `val` and `test` are evaluated together and told apart by slicing on the feature `split`. A rule
    of the gate compares parts of them, so each is a metric of the slice of all images, with a
    threshold on its value. There is no threshold on a change of TFMA's own: it is skipped while
    there is no baseline, and knows nothing of chance.

    Args:
        gate: the rules.
        classes: of the candidate.
        sliced: columns to slice each split on, alone or together.
        smallest_slice: slices with fewer images are marked, and not judged.
        has_baseline: whether the baseline's predictions are there.
    """
    names = (CANDIDATE, BASELINE) if has_baseline else (LONE,)
    common = {'classes': list(classes), 'smallest_slice': smallest_slice}
    spec = tfma.MetricsSpec(
        model_names=names,
        metrics=[
            _metric(tfma_metrics.SliceScores, **common),
            _metric(tfma_metrics.GateRules, gate=gate.model_dump(mode='json'), **common),
        ],
    )
    everything = tfma.SlicingSpec()
    for name, bound in _bounds(gate).items():
        limits = {'upper_bound' if name in _AT_MOST else 'lower_bound': {'value': bound}}
        threshold = tfma.MetricThreshold(value_threshold=tfma.GenericValueThreshold(**limits))
        spec.per_slice_thresholds[tfma_metrics.RULE + name].thresholds.add(
            slicing_specs=[everything], threshold=threshold
        )
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
        slicing_specs=[
            everything,
            *(
                tfma.SlicingSpec(feature_keys=['split', *columns])
                for columns in [(), ('label',), *sliced]
            ),
        ],
        metrics_specs=[spec],
    )


def _metric(metric: type[tfma.metrics.Metric], **config: object) -> tfma.MetricConfig:
    return tfma.MetricConfig(
        class_name=metric.__name__, module=metric.__module__, config=json.dumps(config)
    )


def _bounds(gate: Gate) -> dict[str, float]:
    """What the number of each rule is held against, by name."""
    rules = verdict.judge(EMPTY, tfma_metrics.without_measured(gate)).rules
    found = {rule.name: rule.bound for rule in rules if rule.bound is not None}
    return {**found, 'finite_probabilities': 0.0}


def interval(uri: str, split: str, model: str = CANDIDATE) -> Interval | None:
    """Accuracy of `model` on a split with its interval, or None where the split has no image."""
    # TFMA names the models only where there are two; a lone candidate has the empty name.
    found = [tfma.load_eval_result(uri, model_name=name) for name in (model, '')]
    for key, sections in (pair for result in found for pair in result.slicing_metrics):
        if key != (('split', split),):
            continue
        values = {
            name: value['doubleValue']
            for name, value in sections[''][''].items()
            if 'doubleValue' in value
        }
        return Interval(
            values[tfma_metrics.ACCURACY],
            values[tfma_metrics.LOWER],
            values[tfma_metrics.UPPER],
            int(values[tfma_metrics.IMAGES]),
        )
    return None
