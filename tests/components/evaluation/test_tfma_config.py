"""The evaluation as TFMA runs it: its one threshold is the gate's, its slices are the images'."""

from __future__ import annotations

import pathlib
from typing import Any

import apache_beam as beam
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pyarrow.parquet as pq
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import tfx.components  # noqa: F401  isort: skip - tfma is not whole without it
import tensorflow_model_analysis as tfma  # isort: skip
from tensorflow_model_analysis.evaluators import metrics_validator  # isort: skip

from tests.components.evaluation import evaluating
from thawline.components.evaluation import predictions, tfma_config, tfma_metrics, tfma_run
from thawline.components.evaluation.gate import verdict
from thawline.components.evaluation.gate.counts import Counts, HitCount
from thawline.components.evaluation.gate.params import Gate
from thawline.components.statistics import proportions

CLASSES = ('cat', 'dog', 'elk')


@hypothesis.given(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.0, 0.1, 0.5, 0.8, 0.95, 1.0]),
    st.sampled_from(['bound', 'point']),
)
@hypothesis.settings(deadline=None, max_examples=150)
def test_tfma_decides_on_val_accuracy_as_the_gate_does(
    case: tuple[int, int], threshold: float, strictness: str
) -> None:
    hits, n = case
    gate = Gate.model_validate({'val_accuracy': threshold, 'strictness': strictness})
    (rule,) = (
        rule
        for rule in verdict.judge(Counts(HitCount(hits, n), HitCount(0, 0), {}), gate).rules
        if rule.name == 'val_accuracy'
    )
    config = tfma_config.build(gate, CLASSES, [], 20)
    metrics = {
        tfma.metrics.MetricKey(name=name, example_weighted=None): value
        for name, value in (
            (tfma_metrics.GATE_BOUND, proportions.lower_bound(hits, n)),
            (tfma_metrics.GATE_ACCURACY, hits / n),
        )
    }
    for split, expected in (('val', rule.holds), ('test', True)):
        result = metrics_validator.validate_metrics(((('split', split),), metrics), config)
        assert result.validation_ok is expected


def predict(
    uri: pathlib.Path, n: int, hits: dict[str, int], splits: tuple[str, str] = ('val', 'test')
) -> np.ndarray:
    """Writes n images of each split, so many of them right.

    Returns:
        Labels and answers, int64 [2, 2n].
    """
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(CLASSES), 2 * n)
    right = np.concatenate([np.arange(n) < hits[split] for split in splits])
    answers = np.where(right, labels, (labels + 1) % len(CLASSES))
    chances = rng.dirichlet(np.ones(len(CLASSES)), 2 * n).astype(np.float32)
    names = np.array(CLASSES)
    rows: dict[str, Any] = {
        'image_id': [f'{i:04}' for i in range(2 * n)],
        'path': [f'{i:04}' for i in range(2 * n)],
        'split': np.repeat(splits, n),
        'label': names[labels],
        'answer': names[answers],
        'score': chances[np.arange(2 * n), answers],
        'probabilities': predictions.vectors(chances),
        'meta_site': ['a', 'b', None, 'b'] * (n // 2),
    }
    schema = predictions.schema(CLASSES, ['meta_site'], {})
    (uri / predictions.FOLDER).mkdir()
    pq.write_table(predictions.table(rows, schema), uri / predictions.FOLDER / 'part.parquet')
    return np.stack([labels, answers])


def run(folder: pathlib.Path, gate: Gate) -> None:
    config = tfma_config.build(gate, CLASSES, [('meta_site',)], 20)
    with beam.Pipeline(runner=FnApiRunner()) as root:
        tfma_run.evaluate(root, config, '/models/7', str(folder))


def test_threshold_and_slices_on_predictions(tmp_path: pathlib.Path) -> None:
    labels, answers = predict(tmp_path, 100, {'val': 90, 'test': 60})
    bound = proportions.lower_bound(90, 100)
    run(tmp_path, Gate(val_accuracy=bound))
    assert tfma.load_validation_result(str(tmp_path)).validation_ok

    result = tfma.load_eval_result(str(tmp_path))
    assert result.model_location == '/models/7'
    slices: dict[frozenset, Any] = {
        frozenset(key): sections[''][''] for key, sections in result.slicing_metrics
    }
    assert slices[frozenset({('split', 'val')})]['gate_lower_bound']['doubleValue'] == bound
    site = slices[frozenset({('split', 'val'), ('meta_site', 'a')})]
    assert site['images']['doubleValue'] == 25
    assert not any(('meta_site', None) in key for key in slices)
    interval = evaluating.interval(str(tmp_path), 'val')
    assert interval is not None and (interval.share, interval.n) == (0.9, 100)
    (plot,) = [sections[''][''] for key, sections in result.plots if key == (('split', 'val'),)]
    (matrix,) = plot['multiClassConfusionMatrixAtThresholds']['matrices']
    pairs = list(zip(labels[:100], answers[:100], strict=True))
    for entry in matrix['entries']:
        pair = entry.get('actualClassId', 0), entry.get('predictedClassId', 0)
        assert entry['numWeightedExamples'] == pairs.count(pair) > 0
    assert sum(entry['numWeightedExamples'] for entry in matrix['entries']) == 100


def test_the_bound_of_a_later_look(tmp_path: pathlib.Path) -> None:
    predict(tmp_path, 100, {'val': 90, 'test': 60})
    bound = proportions.lower_bound(90, 100, 1 - 2 * 0.001)
    config = tfma_config.build(Gate(val_accuracy=bound), CLASSES, [], 20, alpha=0.001)
    with beam.Pipeline(runner=FnApiRunner()) as root:
        tfma_run.evaluate(root, config, '/models/7', str(tmp_path))
    assert tfma.load_validation_result(str(tmp_path)).validation_ok
    assert bound < proportions.lower_bound(90, 100) - 0.03


def test_val_that_misses_the_threshold_or_has_no_image_fails(tmp_path: pathlib.Path) -> None:
    for name, splits in (('misses', ('val', 'test')), ('absent', ('test', 'test'))):
        folder = tmp_path / name
        folder.mkdir()
        predict(folder, 100, {'val': 90, 'test': 100}, splits)
        run(folder, Gate(val_accuracy=np.nextafter(proportions.lower_bound(90, 100), 1)))
        validation = tfma.load_validation_result(str(folder))
        assert not validation.validation_ok
        assert bool(validation.missing_slices) is (name == 'absent')
