"""Everything that TFMA computes of a slice, as one metric of TFMA.

What is judged is the answer of the model, which is what its users read: the most probable class is
not the answer where a model has a decision threshold. TFMA's own metrics know no such answers, and
most of them end the evaluation, or count wrongly, at an image of a class that training never saw.

What TFMA is handed is no image but a group of images of one slice (`extracts`), and the metric
computes with whole arrays: a few Python calls an image and slice took TFMA longer than the model
takes for the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import metrics_for_slice_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from thawline.components.evaluation import metrics, units
from thawline.components.evaluation.metrics import Answers
from thawline.components.evaluation.units import Joining
from thawline.components.statistics import clustered_bound

ACCURACY = 'accuracy'
GATE_ACCURACY = 'gate_accuracy'  # of what the gate judges: of images, or of units
LOWER = 'accuracy_lower_bound'
UPPER = 'accuracy_upper_bound'
GATE_BOUND = 'gate_lower_bound'  # what the gate compares with its threshold
IMAGES = 'images'
SMALL = 'small_slice'
CLASSES = 'classes'
CONFUSION = 'confusion_matrix'

_NUMBERS = (ACCURACY, LOWER, UPPER, GATE_ACCURACY, GATE_BOUND, IMAGES, SMALL)

SliceKey = tuple[tuple[str, str], ...]
Rows = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def extracts(
    key: SliceKey,
    labels: np.ndarray,
    answers: np.ndarray,
    probabilities: np.ndarray,
    clusters: np.ndarray,
) -> dict[str, Any]:
    """Some labelled images of one slice as TFMA knows them.

    Args:
        key: columns, in order, and values of the slice.
        labels: int64 [N], positions in the class list, or -1.
        answers: int64 [N], positions too.
        probabilities: float32 [N, C].
        clusters: str [N].
    """
    outputs = {'answers': answers, 'probabilities': probabilities, 'clusters': clusters}
    return {
        tfma.INPUT_KEY: b'',  # TFMA counts its bytes, and warns where it is missing
        tfma.SLICE_KEY_TYPES_KEY: slicer_lib.slice_keys_to_numpy_array([key]),
        tfma.LABELS_KEY: labels,
        tfma.PREDICTIONS_KEY: outputs,
    }


def _key(name: str) -> tfma.metrics.MetricKey:
    # TFMA looks thresholds of a MetricsSpec up under keys that say nothing of example weights.
    return tfma.metrics.MetricKey(name=name, example_weighted=None)


class _Scores(beam.CombineFn):
    """All images of a slice, gathered as a list of pieces -> its scores."""

    def __init__(
        self,
        classes: Sequence[str],
        smallest: int,
        joining: dict[str, Any] | None,
        alpha: float,
    ) -> None:
        self._classes, self._smallest, self._alpha = classes, smallest, alpha
        self._joining = None if joining is None else Joining(**joining)

    def create_accumulator(self) -> list[Rows]:
        return []

    def add_input(
        self, accumulator: list[Rows], element: tfma.metrics.StandardMetricInputs
    ) -> list[Rows]:
        outputs = element.predictions
        names = ('answers', 'probabilities', 'clusters')
        accumulator.append((element.labels, *(outputs[name] for name in names)))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list[Rows]]) -> list[Rows]:
        return [piece for pieces in accumulators for piece in pieces]

    def extract_output(self, accumulator: list[Rows]) -> dict[tfma.metrics.MetricKey, Any]:
        labels, served, probabilities, clusters = (
            np.concatenate(column) for column in zip(*accumulator, strict=True)
        )
        scores = np.take_along_axis(probabilities, served[:, None], axis=1)[:, 0]
        answers = Answers.from_served(labels, served, scores, probabilities)
        hits, n = int(answers.hits.sum()), len(answers)
        groups = clustered_bound.tally(answers.hits, clusters)
        interval = clustered_bound.interval(hits, n, groups)
        values: dict[str, Any] = {
            ACCURACY: interval.share,
            LOWER: interval.lower,
            UPPER: interval.upper,
            **self._judged(answers, clusters),
            IMAGES: float(n),
            SMALL: float(n < self._smallest),
        }
        # Where all images are of one class, accuracy says all that there is.
        several = len(np.unique(labels)) > 1
        if several:
            by_class = metrics.by_class(answers)
            values |= metrics.overall(answers)
            values |= {f'{name}_by_class': scores for name, scores in by_class.items()}
            values[CLASSES] = np.array(self._classes, str)
        results = {_key(name): value for name, value in values.items()}
        if several:
            key = tfma.metrics.PlotKey(CONFUSION, example_weighted=None)
            results[key] = _confusion(answers)
        return results

    def _judged(self, answers: Answers, clusters: np.ndarray) -> dict[str, float]:
        groups = clustered_bound.tally(answers.hits, clusters)
        if self._joining is not None:
            answers, groups = units.join(answers, clusters, self._joining), ()
        hits, n = int(answers.hits.sum()), len(answers)
        bound = clustered_bound.lower_bound(hits, n, groups, self._alpha)
        return {GATE_ACCURACY: hits / n, GATE_BOUND: bound}


def _confusion(answers: Answers) -> metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds:
    message = metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds()
    matrix = message.matrices.add(threshold=0.0)
    for (label, answer), count in sorted(metrics.confusion(answers).items()):
        matrix.entries.add(
            actual_class_id=label, predicted_class_id=answer, num_weighted_examples=count
        )
    return message


class SliceScores(tfma.metrics.Metric):
    """Accuracy with its interval, and all of `metrics`."""

    def __init__(
        self,
        classes: Sequence[str],
        smallest_slice: int,
        joining: dict[str, Any] | None = None,
        alpha: float = clustered_bound.ALPHA,
    ) -> None:
        """Makes the metric.

        Args:
            classes: of the candidate.
            smallest_slice: slices with fewer images are marked with `small_slice` = 1.
            joining: fields of `units.Joining`, None where the gate judges images.
            alpha: of the gate's bound.
        """
        super().__init__(
            _computations,
            classes=list(classes),
            smallest_slice=smallest_slice,
            joining=joining,
            alpha=alpha,
            name='slice_scores',
        )


def _computations(
    classes: list[str],
    smallest_slice: int,
    joining: dict[str, Any] | None,
    alpha: float,
    name: str,
    **_: Any,
) -> list[tfma.metrics.MetricComputation]:
    return [
        tfma.metrics.MetricComputation(
            keys=[_key(key) for key in _NUMBERS],
            preprocessors=None,
            combiner=_Scores(classes, smallest_slice, joining, alpha),
        )
    ]
