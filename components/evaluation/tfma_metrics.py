"""Everything that TFMA computes of a slice, as two metrics of TFMA with thresholds on them.

What is judged is the answer of the model, which is what its users read: the most probable class is
not the answer where a model has a decision threshold. TFMA's own metrics know no such answers, and
most of them end the evaluation, or count wrongly, at an image of a class that training never saw.

What TFMA is handed is no image but a group of images of one slice (`extracts`), and both metrics
compute with whole arrays: a few Python calls an image and slice took TFMA longer than the model
takes for the image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import metrics_for_slice_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from thawline.components.evaluation import counting, metrics
from thawline.components.evaluation.gate import verdict
from thawline.components.evaluation.gate.counts import Counts
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.metrics import Answers
from thawline.components.statistics.proportions import wilson

ACCURACY = 'accuracy'
LOWER = 'accuracy_lower_bound'
UPPER = 'accuracy_upper_bound'
IMAGES = 'images'
SMALL = 'small_slice'
CLASSES = 'classes'
CONFUSION = 'confusion_matrix'
RULE = 'gate.'  # before the name of a rule
# Measured by other means than predictions, hence no metrics.
NOT_RULES = ('max_latency_ms', 'max_size_mb')

Key = tuple[tuple[str, str], ...]
Rows = tuple[np.ndarray, ...]


def extracts(
    key: Key,
    labels: np.ndarray,
    features: Mapping[str, np.ndarray],
    outputs: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> dict[str, Any]:
    """Some labelled images of one slice as TFMA knows them.

    Args:
        key: columns, in order, and values of the slice.
        labels: int64 [N], positions in the class list, or -1.
        features: [N] of str or None each: the split, and what the rules of the gate name; for the
            slice of all images alone.
        outputs: by name of the model, '' for a lone one: positions of the answers, int64 [N], and
            probabilities, float32 [N, C].
    """
    predictions = {
        name: {'answers': answers, 'probabilities': probabilities}
        for name, (answers, probabilities) in outputs.items()
    }
    return {
        tfma.INPUT_KEY: b'',  # TFMA counts its bytes, and warns where it is missing
        tfma.SLICE_KEY_TYPES_KEY: slicer_lib.slice_keys_to_numpy_array([key]),
        tfma.LABELS_KEY: labels,
        tfma.PREDICTIONS_KEY: predictions if len(predictions) > 1 else predictions[''],
        tfma.FEATURES_KEY: dict(features),
    }


def _rows(element: tfma.metrics.StandardMetricInputs, model: str) -> Rows:
    outputs = element.predictions[model] if model else element.predictions
    return element.labels, outputs['answers'], outputs['probabilities']


def _joined(pieces: Iterable[Rows]) -> list[np.ndarray]:
    return [np.concatenate(column) for column in zip(*pieces, strict=True)]


def _answers(labels: np.ndarray, answers: np.ndarray, probabilities: np.ndarray) -> Answers:
    scores = np.take_along_axis(probabilities, answers[:, None], axis=1)[:, 0]
    return metrics.usable(labels, answers, scores, probabilities)


def _key(name: str, model: str) -> tfma.metrics.MetricKey:
    # TFMA looks thresholds of a MetricsSpec up under keys that say nothing of example weights.
    return tfma.metrics.MetricKey(name=name, model_name=model, example_weighted=None)


class _Gather(beam.CombineFn):
    """All images of a slice, as a list of pieces."""

    def create_accumulator(self) -> list[Rows]:
        return []

    def merge_accumulators(self, accumulators: Iterable[list[Rows]]) -> list[Rows]:
        return [piece for pieces in accumulators for piece in pieces]


class _Scores(_Gather):
    """Of one model."""

    def __init__(self, model: str, classes: Sequence[str], smallest: int) -> None:
        self._model, self._classes, self._smallest = model, classes, smallest

    def add_input(
        self, accumulator: list[Rows], element: tfma.metrics.StandardMetricInputs
    ) -> list[Rows]:
        accumulator.append(_rows(element, self._model))
        return accumulator

    def extract_output(self, accumulator: list[Rows]) -> dict[tfma.metrics.MetricKey, Any]:
        answers = _answers(*_joined(accumulator))
        interval = wilson(int(answers.hits.sum()), len(answers))
        values: dict[str, Any] = {
            ACCURACY: interval.share,
            LOWER: interval.lower,
            UPPER: interval.upper,
            IMAGES: float(interval.n),
            SMALL: float(interval.n < self._smallest),
        }
        found = {_key(name, self._model): value for name, value in values.items()}
        if len(np.unique(answers.labels)) < 2:
            return found  # where all images are of one class, accuracy says all that there is
        values = {**metrics.overall(answers)}
        values |= {f'{name}_by_class': one for name, one in metrics.by_class(answers).items()}
        values[CLASSES] = np.array(self._classes, str)
        found |= {_key(name, self._model): value for name, value in values.items()}
        plot = tfma.metrics.PlotKey(name=CONFUSION, model_name=self._model, example_weighted=None)
        found[plot] = _confusion(answers)
        return found


def _confusion(answers: Answers) -> metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds:
    message = metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds()
    matrix = message.matrices.add(threshold=0.0)
    for (label, answer), count in sorted(metrics.confusion(answers).items()):
        matrix.entries.add(
            actual_class_id=label, predicted_class_id=answer, num_weighted_examples=count
        )
    return message


class _Rules(_Gather):
    """The gate's rules; both models answer where there are two.

    TFMA wants the numbers of thresholds in all slices, also in those that no threshold is about.
    There they are NaN: of a part of the images they say nothing, and take long.
    """

    def __init__(
        self, models: Sequence[str], classes: Sequence[str], gate: Gate, smallest: int
    ) -> None:
        self._models, self._classes, self._gate, self._smallest = models, classes, gate, smallest
        self._columns = counting.columns(gate)
        self.names = tuple(rule_values(counting.EMPTY, gate, smallest))

    def add_input(
        self, accumulator: list[Rows], element: tfma.metrics.StandardMetricInputs
    ) -> list[Rows]:
        if element.features:
            features = [element.features[name] for name in ('split', *self._columns)]
            rows = [_rows(element, model) for model in self._models]
            accumulator.append((*rows[0], rows[-1][1], *features))
        return accumulator

    def extract_output(self, accumulator: list[Rows]) -> dict[tfma.metrics.MetricKey, float]:
        if not accumulator:
            return {_key(RULE + name, self._models[0]): math.nan for name in self.names}
        labels, answers, probabilities, baseline, splits, *columns = _joined(accumulator)
        judged = counting.Judged(
            _answers(labels, answers, probabilities),
            splits,
            baseline if len(self._models) > 1 else None,
            dict(zip(self._columns, columns, strict=True)),
        )
        values = rule_values(counting.numbers(judged, self._classes), self._gate, self._smallest)
        return {_key(RULE + name, self._models[0]): value for name, value in values.items()}


def without_measured(gate: Gate) -> Gate:
    """The gate without the rules that are no metrics."""
    return gate.model_copy(update=dict.fromkeys(NOT_RULES))


def rule_values(numbers: Counts, gate: Gate, smallest: int) -> dict[str, float]:
    """The number that each rule holds against its bound, by name.

    A rule that does not apply has its bound itself, which holds; one that could not be measured has
    NaN, which does not.
    """
    found = {'finite_probabilities': 0.0}
    for rule in verdict.judge(numbers, without_measured(gate), smallest).rules:
        value = rule.bound if rule.holds is None else rule.value
        found[rule.name] = math.nan if value is None else float(value)
    return found


class SliceScores(tfma.metrics.Metric):
    """Accuracy with its interval, and all of `measures`, for each model."""

    def __init__(self, classes: Sequence[str], smallest_slice: int) -> None:
        """Makes the metric.

        Args:
            classes: of the candidate.
            smallest_slice: slices with fewer images are marked with `small_slice` = 1.
        """
        super().__init__(
            _score_computations,
            classes=list(classes),
            smallest_slice=smallest_slice,
            name='slice_scores',
        )


def _score_computations(
    classes: list[str], smallest_slice: int, name: str, model_names: Iterable[str] = ('',), **_: Any
) -> list[tfma.metrics.MetricComputation]:
    return [
        tfma.metrics.MetricComputation(
            keys=[_key(one, model) for one in (ACCURACY, LOWER, UPPER, IMAGES, SMALL)],
            preprocessors=None,
            combiner=_Scores(model, classes, smallest_slice),
        )
        for model in model_names
    ]


class GateRules(tfma.metrics.Metric):
    """The number of each rule of the gate, on the slice of all images."""

    def __init__(self, classes: Sequence[str], gate: dict[str, Any], smallest_slice: int) -> None:
        """Makes the metric.

        Args:
            classes: of the candidate.
            gate: as `params.Gate` dumps it.
            smallest_slice: slices with fewer images are not judged.
        """
        super().__init__(
            _rule_computations,
            classes=list(classes),
            gate=gate,
            smallest_slice=smallest_slice,
            name='gate_rules',
        )


def _rule_computations(
    classes: list[str],
    gate: dict[str, Any],
    smallest_slice: int,
    name: str,
    model_names: Iterable[str] = ('',),
    **_: Any,
) -> list[tfma.metrics.MetricComputation]:
    parsed, models = Gate.model_validate(gate), list(model_names)
    combiner = _Rules(models, classes, parsed, smallest_slice)
    features = ['split', *counting.columns(parsed)]
    return [
        tfma.metrics.MetricComputation(
            keys=[_key(RULE + one, models[0]) for one in combiner.names],
            preprocessors=[tfma.metrics.FeaturePreprocessor(feature_keys=features)],
            combiner=combiner,
        )
    ]
