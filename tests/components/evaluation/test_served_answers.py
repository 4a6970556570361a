"""TFMA judges what an exported model answers, not its most probable class."""

from __future__ import annotations

import pathlib

import apache_beam as beam
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import tfx.components  # noqa: F401  isort: skip - tfma is not whole without it
import tensorflow_model_analysis as tfma  # isort: skip
from tfx_bsl.tfxio import tf_example_record  # isort: skip

from components.evaluation import eval_config, metrics, results
from components.evaluation.params import Gate
from components.serving.rule import Rule
from tests.components import transformed as making
from tests.components.serving import binary
from tests.components.transformed import Row, Transformed

RULE = Rule(temperature=1.3, threshold=0.2, positive=1)


def example(row: Row) -> bytes:
    message = tf.train.Example.FromString(making.example(row))
    message.features.feature['split'].bytes_list.value.append(b'val')
    if not row.label:
        del message.features.feature['label']
    return message.SerializeToString()


def evaluate(
    rows: tuple[Row, ...],
    folder: pathlib.Path,
    candidate: pathlib.Path,
    baseline: pathlib.Path | None = None,
) -> tfma.ValidationResult:
    """As TFX's Evaluator: from serialized tf.Examples and SavedModels to a validation."""
    config = tfma.utils.update_eval_config_with_defaults(
        eval_config.build(Gate(val_accuracy=0.5, strictness='point'), 'digest'),
        has_baseline=baseline is not None,
        rubber_stamp=True,
    )
    paths = {eval_config.BASELINE: baseline}
    models = [
        tfma.default_eval_shared_model(
            eval_saved_model_path=str(paths.get(spec.name, candidate)),
            model_name=spec.name,  # '' for a lone candidate
            eval_config=config,
        )
        for spec in config.model_specs
    ]
    source = tf_example_record.TFExampleBeamRecord(
        physical_format='inmem',
        telemetry_descriptors=['test'],
        raw_record_column_name=tfma.ARROW_INPUT_COLUMN,
    )
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        _ = (
            pipeline
            | beam.Create([example(row) for row in rows])
            | source.BeamSource()
            | tfma.ExtractEvaluateAndWriteResults(
                eval_config=config, eval_shared_model=models, output_path=str(folder)
            )
        )
    return tfma.load_validation_result(str(folder))


def test_accuracy_and_recall_follow_the_threshold(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    rows = binary.rows(transformed)
    classifier = binary.classifier(rows)
    logits = binary.logits(classifier, rows)
    labels = np.array([binary.TWO.index(row.label) for row in rows])
    answers = RULE.answers(logits)
    hits = float((answers == labels).mean())
    assert hits != (logits.argmax(axis=1) == labels).mean()

    candidate = binary.exported(classifier, transformed, tmp_path / 'model', RULE)
    # Without a rule, and with its classes in the other order.
    swapped = binary.TWO[::-1]
    baseline = binary.exported(classifier, transformed, tmp_path / 'baseline', None, swapped)
    lone, both = tmp_path / 'lone', tmp_path / 'both'
    evaluate(rows, lone, candidate)
    evaluate(rows, both, candidate, baseline)
    for folder in (lone, both):
        found = results.interval(str(folder), 'val')
        assert found is not None and found.n == len(rows)
        assert found.share == pytest.approx(hits)
    of_baseline = results.interval(str(both), 'val', eval_config.BASELINE)
    assert of_baseline is not None
    assert of_baseline.share == pytest.approx((1 - logits.argmax(axis=1) == labels).mean())

    slices = {
        frozenset(key): sections['']['']
        for key, sections in tfma.load_eval_result(str(lone)).slicing_metrics
    }
    for index, name in enumerate(binary.TWO):
        one = slices[frozenset({('split', 'val'), ('label', name)})]
        recall = (answers == labels)[labels == index].mean()
        assert one[metrics.ACCURACY]['doubleValue'] == pytest.approx(recall)
    chances = scipy.special.log_softmax(logits.astype(float) / RULE.temperature, axis=1)
    loss = -chances[np.arange(len(rows)), labels].mean()
    log_loss = slices[frozenset({('split', 'val')})]['log_loss']['doubleValue']
    assert log_loss == pytest.approx(loss, rel=1e-3)


def test_image_of_no_known_class_is_never_right_and_has_no_loss(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    known = binary.rows(transformed)[0]
    rows = (known, Row(known.image, '', 'unlabelled'), Row(known.image, 'never seen', 'stranger'))
    classifier = binary.classifier(binary.rows(transformed))
    chosen = binary.TWO.index(known.label)
    always = Rule(threshold=0.0, positive=chosen)
    candidate = binary.exported(classifier, transformed, tmp_path / 'model', always)
    evaluate(rows, tmp_path / 'out', candidate)
    found = results.interval(str(tmp_path / 'out'), 'val')
    assert found is not None and found.n == 3
    assert found.share == pytest.approx(1 / 3)
    (overall,) = (
        s for k, s in tfma.load_eval_result(str(tmp_path / 'out')).slicing_metrics if not k
    )
    logits = binary.logits(classifier, rows[:1])
    chance = always.probabilities(logits)[0, chosen]
    found_loss = overall['']['']['log_loss']['doubleValue']
    assert found_loss == pytest.approx(-np.log(chance), rel=1e-3)
