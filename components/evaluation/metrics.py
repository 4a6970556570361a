"""Accuracy of the served answers with its interval, as a TFMA metric with thresholds on it.

What is judged is the output `label` of the model, which is what its users read, against the feature
`label`: the most probable class is not the answer where a model has a decision threshold.

Validation accuracy on 100 images has a standard error of 3 points, so a gate on the point alone
blesses by luck. The interval is Wilson's score interval (Wilson, JASA 1927), which stays honest for
small counts and for accuracies near 1; scipy computes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import scipy.stats
import tensorflow_model_analysis as tfma

ACCURACY = 'accuracy'
LOWER = 'accuracy_lower_bound'
UPPER = 'accuracy_upper_bound'
IMAGES = 'images'
LABEL = 'label'  # the feature, and the output of the signature
CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Interval:
    """A proportion with the ends of its interval, over `n` trials."""

    share: float
    lower: float
    upper: float
    n: int


def wilson(hits: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """The share of `hits` among `n` with its two-sided Wilson interval; (nan, 0, 1) for n = 0."""
    if n == 0:
        return Interval(float('nan'), 0.0, 1.0, 0)
    ends = scipy.stats.binomtest(hits, n).proportion_ci(confidence, method='wilson')
    return Interval(hits / n, float(ends.low), float(ends.high), n)


def _key(name: str, model_name: str) -> tfma.metrics.MetricKey:
    # TFMA looks thresholds of a MetricsSpec up under keys that say nothing of example weights.
    return tfma.metrics.MetricKey(name=name, model_name=model_name, example_weighted=None)


def _answered_right(element: tfma.metrics.StandardMetricInputs, model_name: str) -> bool:
    """Whether the label that the model answers is the image's; never for an image without one.

    Raises:
        ValueError: the model has no output `label`.
    """
    outputs = element.prediction[model_name] if model_name else element.prediction
    if not isinstance(outputs, Mapping) or LABEL not in outputs:
        raise ValueError(
            f'the model {model_name!r} has no output {LABEL!r} to judge. Received: {outputs}'
        )
    wanted = np.asarray((element.features or {}).get(LABEL))
    return np.ravel(outputs[LABEL]).tolist() == np.ravel(wanted).tolist()


class _Count(beam.CombineFn):
    """(hits, images) over all examples of a slice."""

    def __init__(self, model_name: str, confidence: float) -> None:
        self._model_name = model_name
        self._confidence = confidence

    def create_accumulator(self) -> tuple[int, int]:
        return 0, 0

    def add_input(
        self, accumulator: tuple[int, int], element: tfma.metrics.StandardMetricInputs
    ) -> tuple[int, int]:
        hits, n = accumulator
        return hits + _answered_right(element, self._model_name), n + 1

    def merge_accumulators(self, accumulators: Iterable[tuple[int, int]]) -> tuple[int, int]:
        hits, n = 0, 0
        for other_hits, other_n in accumulators:
            hits, n = hits + other_hits, n + other_n
        return hits, n

    def extract_output(self, accumulator: tuple[int, int]) -> dict[tfma.metrics.MetricKey, float]:
        interval = wilson(*accumulator, self._confidence)
        values = {
            ACCURACY: interval.share,
            LOWER: interval.lower,
            UPPER: interval.upper,
            IMAGES: float(interval.n),
        }
        return {_key(name, self._model_name): value for name, value in values.items()}


class AccuracyInterval(tfma.metrics.Metric):
    """Share of images that are answered with their label, with its interval and count."""

    def __init__(self, confidence: float = CONFIDENCE, code_digest: str = '') -> None:
        """Makes the metric.

        Args:
            confidence: of the two-sided interval.
            code_digest: digest of this package's source; being part of the metric's settings it is
                part of the Evaluator's cache key.
        """
        super().__init__(
            _computations, confidence=confidence, code_digest=code_digest, name='accuracy_interval'
        )


def _computations(
    confidence: float,
    code_digest: str,
    name: str,
    model_names: Iterable[str] = ('',),
    **_: Any,
) -> list[tfma.metrics.MetricComputation]:
    del code_digest, name
    names = (ACCURACY, LOWER, UPPER, IMAGES)
    return [
        tfma.metrics.MetricComputation(
            keys=[_key(key, model) for key in names],
            preprocessors=[tfma.metrics.FeaturePreprocessor(feature_keys=[LABEL])],
            combiner=_Count(model, confidence),
        )
        for model in model_names
    ]
