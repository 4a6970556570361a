"""The gate as TFMA judges it: the same decision as the rules', whatever the numbers."""

from __future__ import annotations

import pathlib
from typing import Any

import apache_beam as beam
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import tfx.components  # noqa: F401  isort: skip - tfma is not whole without it
import tensorflow_model_analysis as tfma  # isort: skip
from tensorflow_model_analysis.evaluators import metrics_validator  # isort: skip

from thawline.components.evaluation import predictions, tfma_config, tfma_metrics, tfma_run
from thawline.components.evaluation.gate import verdict
from thawline.components.evaluation.gate.counts import (
    ClassChange,
    Counts,
    HitCount,
    PairedCount,
    SliceCount,
)
from thawline.components.evaluation.gate.params import Gate

CLASSES = ('cat', 'dog', 'elk')


def counts(most: int = 300) -> st.SearchStrategy[HitCount]:
    pairs = st.integers(0, most).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
    return pairs.map(lambda pair: HitCount(*pair))


SHARES = st.sampled_from([0.0, 0.1, 0.5, 0.8, 0.95, 1.0])
MAYBE = st.none() | SHARES
NUMBERS = st.builds(
    Counts,
    val=counts(),
    test=counts(),
    classes=st.fixed_dictionaries({name: counts(40) for name in CLASSES}),
    slices=st.lists(
        st.builds(SliceCount, st.just('meta_site'), st.sampled_from('ab'), counts(40)), max_size=2
    ).map(tuple),
    calibration_error=st.none() | SHARES | st.just(float('nan')),
    baseline=st.none()
    | st.just(ClassChange(('dog',), ('fox',)))
    | st.builds(
        lambda won, lost: PairedCount(won, lost, won + lost + 9), *[st.integers(0, 40)] * 2
    ),
    not_finite=st.integers(0, 1),
    latency_ms=st.none() | st.just(5.0),
)
GATES = st.fixed_dictionaries(
    {
        'val_accuracy': SHARES,
        'strictness': st.sampled_from(['bound', 'point']),
        'worst_class_recall': MAYBE,
        'max_calibration_error': MAYBE,
        'max_drop': MAYBE,
        'paired_test': st.sampled_from([None, 0.05]),
        'test_contradiction': st.sampled_from([None, 0.05]),
        'max_latency_ms': st.sampled_from([None, 1.0]),
        'slices': st.lists(
            st.fixed_dictionaries(
                {
                    'column': st.just('meta_site'),
                    'value': st.sampled_from([None, 'a']),
                    'accuracy': SHARES,
                }
            ),
            max_size=2,
        ),
    }
).map(Gate.model_validate)


def failures(gate: Gate, values: dict[str, float]) -> list[str]:
    """Rules that TFMA finds to fail, given their numbers."""
    config = tfma_config.build(gate, CLASSES, [], 20, has_baseline=False)
    keyed = {
        tfma.metrics.MetricKey(
            name=tfma_metrics.RULE + name, model_name='', example_weighted=None
        ): value
        for name, value in values.items()
    }
    found = metrics_validator.validate_metrics(((), keyed), config)
    assert found.validation_ok is not bool(found.metric_validations_per_slice)
    return [
        failure.metric_key.name.removeprefix(tfma_metrics.RULE)
        for one in found.metric_validations_per_slice
        for failure in one.failures
    ]


@hypothesis.given(NUMBERS, GATES)
@hypothesis.settings(deadline=None, max_examples=150)
def test_tfma_fails_the_rules_that_the_gate_fails(numbers: Counts, gate: Gate) -> None:
    rules = verdict.judge(numbers, gate, 20).rules
    expected = {rule.name for rule in rules if rule.holds is False} - set(tfma_metrics.NOT_RULES)
    assert set(failures(gate, tfma_metrics.rule_values(numbers, gate, 20))) == expected


def test_missing_number_fails() -> None:
    gate = Gate(worst_class_recall=0.5)
    values = tfma_metrics.rule_values(Counts(HitCount(9, 9), HitCount(9, 9), {}), gate, 20)
    del values['worst_class_recall']
    assert 'worst_class_recall' in failures(gate, values)


def predict(uri: pathlib.Path, n: int, hits: dict[str, int], compared: bool) -> np.ndarray:
    """Writes n images of val and of test, so many of them right; the baseline has all right.

    Returns:
        Labels and answers, int64 [2, 2n].
    """
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(CLASSES), 2 * n)
    right = np.concatenate([np.arange(n) < hits[split] for split in ('val', 'test')])
    answers = np.where(right, labels, (labels + 1) % len(CLASSES))
    chances = rng.dirichlet(np.ones(len(CLASSES)), 2 * n).astype(np.float32)
    names = np.array(CLASSES)
    rows: dict[str, Any] = {
        'image_id': [f'{i:04}' for i in range(2 * n)],
        'path': [f'{i:04}' for i in range(2 * n)],
        'split': ['val'] * n + ['test'] * n,
        'label': names[labels],
        'answer': names[answers],
        'score': chances[np.arange(2 * n), answers],
        'probabilities': predictions.vectors(chances),
        'meta_site': ['a', 'b', None, 'b'] * (n // 2),
    }
    if compared:
        rows |= {
            'baseline_answer': names[labels],
            'baseline_probabilities': predictions.vectors(chances),
        }
    schema = predictions.schema(CLASSES, ['meta_site'], {})
    (uri / predictions.FOLDER).mkdir()
    pq.write_table(predictions.table(rows, schema), uri / predictions.FOLDER / 'part.parquet')
    return np.stack([labels, answers])


@pytest.mark.parametrize('compared', [False, True])
def test_rules_and_slices_on_predictions(compared: bool, tmp_path: pathlib.Path) -> None:
    """A floor of a site, test against val and the baseline, all in one evaluation."""
    labels, answers = predict(tmp_path, 100, {'val': 90, 'test': 60}, compared)
    gate = Gate.model_validate(
        {
            'val_accuracy': 0.8,
            'max_drop': 0.02,
            'slices': [{'column': 'meta_site', 'value': 'a', 'accuracy': 0.99}],
        }
    )
    models = ('candidate', 'baseline') if compared else ('',)
    config = tfma_config.build(gate, CLASSES, [('meta_site',)], 20, compared)
    with beam.Pipeline(runner=FnApiRunner()) as root:
        locations = {name: f'/models/{name}' for name in models}
        tfma_run.evaluate(root, config, ['meta_site'], locations, str(tmp_path))
    validation = tfma.load_validation_result(str(tmp_path))
    failed = {
        failure.metric_key.name
        for one in validation.metric_validations_per_slice
        for failure in one.failures
    }
    expected = {'gate.slices.0', 'gate.test_contradiction'}
    assert failed == expected | ({'gate.paired_test', 'gate.max_drop'} if compared else set())

    result = tfma.load_eval_result(str(tmp_path), model_name=models[0])
    assert result.model_location == f'/models/{models[0]}'
    slices: dict[frozenset, Any] = {
        frozenset(key): sections[''][''] for key, sections in result.slicing_metrics
    }
    site = slices[frozenset({('split', 'val'), ('meta_site', 'a')})]
    assert site['images']['doubleValue'] == 25
    assert not any(('meta_site', None) in key for key in slices)
    interval = tfma_config.interval(str(tmp_path), 'val')
    assert interval is not None and (interval.share, interval.n) == (0.9, 100)
    of_baseline = tfma_config.interval(str(tmp_path), 'test', tfma_config.BASELINE)
    assert (of_baseline is not None and of_baseline.share == 1.0) is compared
    (plot,) = [sections[''][''] for key, sections in result.plots if key == (('split', 'val'),)]
    (matrix,) = plot['multiClassConfusionMatrixAtThresholds']['matrices']
    pairs = list(zip(labels[:100], answers[:100], strict=True))
    for entry in matrix['entries']:
        pair = entry.get('actualClassId', 0), entry.get('predictedClassId', 0)
        assert entry['numWeightedExamples'] == pairs.count(pair) > 0
    assert sum(entry['numWeightedExamples'] for entry in matrix['entries']) == 100
