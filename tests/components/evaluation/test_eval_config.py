"""The gate as TFMA itself computes and judges it, on predictions that are given."""

from __future__ import annotations

import dataclasses
import pathlib

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pydantic
import pytest
import scipy.stats
import sklearn.metrics
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import tfx.components  # noqa: F401  isort: skip - tfma is not whole without it
import tensorflow_model_analysis as tfma  # isort: skip
from tensorflow_model_analysis.extractors.materialized_predictions_extractor import (  # isort: skip
    MaterializedPredictionsExtractor,
)

from components.evaluation import eval_config, metrics, results
from components.evaluation.params import Gate

CLASSES = 3


@dataclasses.dataclass(frozen=True)
class Predicted:
    """Labels, int [N], probabilities, float32 [N, C], and answers, int [N], of one split."""

    labels: np.ndarray
    probabilities: np.ndarray
    chosen: np.ndarray


def predicted(n: int, hits: int, seed: int = 0) -> Predicted:
    """n predictions of which exactly `hits` are right; the labels depend on n and seed alone.

    The answer is the least probable class, so that whoever judges by probabilities is found out.
    """
    rng = np.random.default_rng([seed, n])
    labels = rng.integers(0, CLASSES, n)
    chosen = np.where(np.arange(n) < hits, labels, (labels + 1) % CLASSES)
    probabilities = rng.uniform(0.1, 1.0, (n, CLASSES))
    probabilities[np.arange(n), chosen] = 0.05
    probabilities /= probabilities.sum(1, keepdims=True)
    return Predicted(labels, probabilities.astype(np.float32), chosen)


def name_of(label: int) -> bytes:
    return f'class {label}'.encode()


Splits = dict[str, Predicted]


def evaluate(
    folder: pathlib.Path, gate: Gate, candidate: Splits, baseline: Splits | None = None
) -> tfma.ValidationResult:
    """What TFX's Evaluator does, with predictions as features in place of models.

    The parts are named one by one, because `tfma.default_extractors` drops the baseline from the
    configuration where it is given no models.
    """
    config = tfma.utils.update_eval_config_with_defaults(
        eval_config.build(gate, 'digest'), has_baseline=baseline is not None, rubber_stamp=True
    )
    for spec in config.model_specs:
        spec.ClearField('preprocessing_function_names')
        spec.ClearField('prediction_key')
        for output in ('probabilities', 'label'):
            # A lone candidate has lost its name.
            spec.prediction_keys[output] = f'{spec.name or eval_config.CANDIDATE} {output}'
    columns: dict[str, list[list[object]]] = {'label_index': [], 'split': [], 'label': []}
    for name, splits in (('candidate', candidate), ('baseline', baseline)):
        for one in (splits or {}).values():
            rows: list[list[object]] = [[float(share) for share in r] for r in one.probabilities]
            columns.setdefault(f'{name} probabilities', []).extend(rows)
            columns.setdefault(f'{name} label', []).extend([name_of(i)] for i in one.chosen)
    for split, one in candidate.items():
        columns['label_index'] += [[int(label)] for label in one.labels]
        columns['label'] += [[name_of(label)] for label in one.labels]
        columns['split'] += [[split.encode()] for _ in one.labels]
    batch = pa.RecordBatch.from_pydict(columns)
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        _ = (
            pipeline
            | beam.Create([batch.slice(0, 70), batch.slice(70)])  # accumulators are merged
            | tfma.BatchedInputsToExtracts()
            | tfma.ExtractAndEvaluate(
                extractors=[
                    tfma.extractors.FeaturesExtractor(config),
                    tfma.extractors.LabelsExtractor(config),
                    tfma.extractors.ExampleWeightsExtractor(config),
                    MaterializedPredictionsExtractor(config),
                    tfma.extractors.UnbatchExtractor(),
                    tfma.extractors.SliceKeyExtractor(eval_config=config),
                ],
                evaluators=[tfma.evaluators.MetricsPlotsAndValidationsEvaluator(config)],
            )
            | tfma.WriteResults(tfma.default_writers(str(folder), eval_config=config))
        )
    return tfma.load_validation_result(str(folder))


def test_metric_equals_scikit_learn_and_scipy_in_each_split(tmp_path: pathlib.Path) -> None:
    splits = {'val': predicted(80, 66), 'test': predicted(50, 29)}
    evaluate(tmp_path, Gate(), splits)
    for split, one in splits.items():
        found = results.interval(str(tmp_path), split)
        assert found is not None
        assert found.n == len(one.labels)
        assert found.share == sklearn.metrics.accuracy_score(one.labels, one.chosen)
        hits = round(found.share * found.n)
        expected = scipy.stats.binomtest(hits, found.n).proportion_ci(0.95, method='wilson')
        assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high))
    assert results.interval(str(tmp_path), 'train') is None
    _assert_slices(tmp_path, splits)


def _assert_slices(folder: pathlib.Path, splits: Splits) -> None:
    """Recall of each class in each split, log loss, and the whole."""
    found = {
        key: {name: v.get('doubleValue') for name, v in sections[''][''].items()}
        for key, sections in tfma.load_eval_result(str(folder)).slicing_metrics
    }
    assert len(found) == 1 + 2 + 2 * CLASSES
    for split, one in splits.items():
        recalls = sklearn.metrics.recall_score(one.labels, one.chosen, average=None)
        for label, recall in enumerate(recalls):
            key = (('split', split), ('label', f'class {label}'))
            key = key if key in found else key[::-1]
            assert found[key][metrics.ACCURACY] == pytest.approx(recall)
        loss = sklearn.metrics.log_loss(one.labels, one.probabilities, labels=range(CLASSES))
        assert found[(('split', split),)]['log_loss'] == pytest.approx(loss, rel=1e-4)
    assert found[()][metrics.IMAGES] == sum(len(one.labels) for one in splits.values())


# 170 of 200 right: accuracy 0.85, its bound 0.7939.
@pytest.mark.parametrize(
    ('strictness', 'threshold', 'blessed'),
    [
        ('bound', 0.79, True),
        ('bound', 0.80, False),
        ('point', 0.80, True),
        ('point', 0.85, True),
        ('point', 0.86, False),
    ],
)
def test_gate_on_the_bound_or_on_the_point(
    strictness: str, threshold: float, blessed: bool, tmp_path: pathlib.Path
) -> None:
    gate = Gate(val_accuracy=threshold, strictness=strictness)  # type: ignore[arg-type]
    # test is far below: the thresholds are those of val alone.
    found = evaluate(tmp_path, gate, {'val': predicted(200, 170), 'test': predicted(60, 6)})
    assert found.validation_ok is blessed
    if not blessed:
        (failure,) = [f for r in found.metric_validations_per_slice for f in r.failures]
        wanted = metrics.LOWER if strictness == 'bound' else metrics.ACCURACY
        assert failure.metric_key.name == wanted


@pytest.mark.parametrize(
    ('strictness', 'hits', 'blessed'),
    [('bound', 180, True), ('bound', 176, True), ('bound', 175, False), ('point', 175, False)],
)
def test_gate_against_a_baseline(
    strictness: str, hits: int, blessed: bool, tmp_path: pathlib.Path
) -> None:
    """The baseline has 180 of 200 right, so a drop of two points leaves 176."""
    gate = Gate(val_accuracy=0.5, max_drop=0.02, strictness=strictness)  # type: ignore[arg-type]
    baseline = {'val': predicted(200, 180), 'test': predicted(40, 30)}
    candidate = {'val': predicted(200, hits), 'test': predicted(40, 20)}
    found = evaluate(tmp_path, gate, candidate, baseline)
    assert found.validation_ok is blessed
    interval = results.interval(str(tmp_path), 'val')
    assert interval is not None and interval.share == hits / 200
    of_baseline = results.interval(str(tmp_path), 'val', eval_config.BASELINE)
    assert of_baseline is not None and of_baseline.share == 0.9


def test_value_threshold_holds_beside_a_worse_baseline(tmp_path: pathlib.Path) -> None:
    """To be better than the baseline is not enough."""
    splits = {'val': predicted(200, 120), 'test': predicted(40, 20)}
    worse = {'val': predicted(200, 90), 'test': predicted(40, 20)}
    assert not evaluate(tmp_path, Gate(val_accuracy=0.8), splits, worse).validation_ok


def test_config_depends_on_the_code_and_on_the_gate() -> None:
    one = eval_config.build(Gate(), 'a')
    assert one == eval_config.build(Gate(), 'a')
    assert one != eval_config.build(Gate(), 'b')
    assert one != eval_config.build(Gate(val_accuracy=0.7), 'a')
    assert one != eval_config.build(Gate(strictness='point'), 'a')
    assert one != eval_config.build(Gate(max_drop=0.5), 'a')


@pytest.mark.parametrize('field', ['val_accuracy', 'max_drop'])
def test_percentage_is_refused_with_the_share(field: str) -> None:
    with pytest.raises(pydantic.ValidationError, match='write it as a share: 0.8'):
        Gate(**{field: 80})  # type: ignore[arg-type]
    for value in (-0.1, 101, 'high'):
        with pytest.raises(pydantic.ValidationError):
            Gate(**{field: value})  # type: ignore[arg-type]
