"""The metrics of one split: those of the gate, with intervals and counts.

The model cannot predict a class that training never saw: images of it count in the accuracy, the
slices and the calibration, and are in no row of a class. Where the model returns NaN or infinities
there is no answer: such images count as wrong and are in no bin of the calibration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from thawline.components.evaluation import metrics
from thawline.components.evaluation.metrics import NO_ANSWER as NO_ANSWER
from thawline.components.evaluation.metrics import Answers
from thawline.components.report.content import CalibrationBin, ClassRow
from thawline.components.statistics import clustered_bound
from thawline.components.statistics.proportions import Interval

BINS = metrics.BINS
_NAMES = {'expected_calibration_error': 'ece'}


def accuracy(hits: np.ndarray, clusters: np.ndarray | None = None) -> Interval:
    """The share of hits with its interval: bool [N], names of clusters [N].

    Without clusters each image is one.
    """
    tally = () if clusters is None else clustered_bound.tally(hits, clusters)
    return clustered_bound.interval(int(hits.sum()), len(hits), tally)


def overall(answers: Answers) -> dict[str, float | None]:
    """Metrics by name; None where one is undefined."""
    values = metrics.overall(answers)
    return {_NAMES.get(name, name): _finite_or_none(value) for name, value in values.items()}


def class_rows(
    answers: Answers,
    classes: Sequence[str],
    train_images: Mapping[str, int] | None,
    clusters: np.ndarray | None = None,
) -> tuple[ClassRow, ...]:
    """A row a class; precision is None where the class was never predicted."""
    scores = metrics.by_class(answers)
    known = answers.known
    images = np.bincount(known.labels, minlength=len(classes))
    return tuple(
        ClassRow(
            name,
            int(images[i]),
            None if train_images is None else int(train_images.get(name, 0)),
            _finite_or_none(scores['precision'][i]),
            accuracy(answers.hits[rows], None if clusters is None else clusters[rows]),
            _finite_or_none(scores['f1'][i]) if images[i] else None,
            _finite_or_none(scores['auc'][i]),
        )
        for i, name in enumerate(classes)
        for rows in (answers.labels == i,)
    )


def _finite_or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def calibration_bins(answers: Answers) -> tuple[CalibrationBin, ...]:
    """The accuracy by score; the last bin includes 1."""
    answers = answers.take(answers.has_answer)
    bin_of = np.minimum((answers.scores.astype(np.float64) * BINS).astype(int), BINS - 1)
    bins = []
    for i in range(BINS):
        rows = np.flatnonzero(bin_of == i)
        mean = float(answers.scores[rows].mean(dtype=np.float64)) if len(rows) else None
        bins.append(CalibrationBin(i / BINS, (i + 1) / BINS, mean, accuracy(answers.hits[rows])))
    return tuple(bins)
