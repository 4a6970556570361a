"""Metrics of one group of images, from its predictions; by scikit-learn where it has them.

Images of a class that training never saw cannot be answered right: they count in the accuracy and
in the calibration, and are left out of what needs a position in the class list. Images for which
the model returns NaN or infinities have no answer: they count as wrong.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.stats
from sklearn import metrics

from thawline.components.evaluation.predictions import Predictions

BINS = 10
TOP = 3
# In place of the position of a class; at -1 a label that training never saw would be a hit.
NO_ANSWER = -2
BY_CLASS = ('precision', 'recall', 'f1', 'auc')


@dataclasses.dataclass(frozen=True)
class Answers:
    """Labelled images and what was answered.

    Attributes:
        labels: int64 [N], positions in the class list; -1 for a class that training never saw.
        answers: int64 [N]; `NO_ANSWER` where a probability is NaN or infinite.
        scores: float32 [N], probability of the answer; NaN where there is none.
        probabilities: float32 [N, C].
    """

    labels: np.ndarray
    answers: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def from_predictions(cls, predictions: Predictions, rows: np.ndarray) -> Answers:
        """Those in some rows of the table: int64 [N]."""
        return cls.from_served(
            predictions.labels[rows],
            predictions.answers[rows],
            predictions.scores[rows],
            predictions.probabilities[rows],
        )

    @classmethod
    def from_served(
        cls, labels: np.ndarray, served: np.ndarray, scores: np.ndarray, probabilities: np.ndarray
    ) -> Answers:
        """What a model serves, less the labels beside probabilities that are not finite.

        Args:
            labels: as in the attributes.
            served: int64 [N], positions of the labels that the model serves.
            scores: float32 [N], of these.
            probabilities: float32 [N, C].
        """
        finite = np.isfinite(probabilities).all(axis=1)
        return cls(
            labels,
            np.where(finite, served, NO_ANSWER),
            np.where(finite, scores, np.float32(np.nan)),
            probabilities,
        )

    @property
    def hits(self) -> np.ndarray:
        """Which images are answered correctly: bool [N]."""
        hits: np.ndarray = self.labels == self.answers
        return hits

    @property
    def has_answer(self) -> np.ndarray:
        """Which images have an answer, right or wrong: bool [N]."""
        has_answer: np.ndarray = self.answers >= 0
        return has_answer

    @property
    def finite(self) -> bool:
        """Whether no probability is NaN or infinite."""
        return bool(np.isfinite(self.probabilities).all())

    @property
    def known(self) -> Answers:
        """Without images of classes that training never saw."""
        return self.take(self.labels >= 0)

    def take(self, rows: np.ndarray) -> Answers:
        """Some of the images: bool [N]."""
        return Answers(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


def overall(answers: Answers) -> dict[str, float]:
    """Metrics by name; NaN where there is nothing to compute one from.

    `balanced_accuracy` is the mean recall of the classes that have an image. `macro_f1` is the mean
    over the classes that have an image or were answered. `auc_ovr` is the mean of `by_class` over
    the classes that have one. `top_3_accuracy` is there where there are more than three classes.
    """
    known, classes = answers.known, np.arange(answers.probabilities.shape[1])
    values = dict.fromkeys(('balanced_accuracy', 'macro_f1', 'log_loss', 'auc_ovr'), np.nan)
    top = f'top_{TOP}_accuracy'
    if len(classes) > TOP:
        values[top] = np.nan
    if len(known):
        labels, served = known.labels, known.answers
        values['balanced_accuracy'] = metrics.recall_score(
            labels, served, labels=np.unique(labels), average='macro', zero_division=0
        )
        values['macro_f1'] = metrics.f1_score(
            labels,
            served,
            labels=np.union1d(labels, served[served >= 0]),  # no answer is no class of its own
            average='macro',
            zero_division=0,
        )
    if len(known) and known.finite:
        values['log_loss'] = metrics.log_loss(labels, known.probabilities, labels=classes)
        areas = _areas(known)
        values['auc_ovr'] = areas[~np.isnan(areas)].mean() if not np.isnan(areas).all() else np.nan
        if top in values:
            values[top] = metrics.top_k_accuracy_score(
                labels, known.probabilities, k=TOP, labels=classes
            )
    values['expected_calibration_error'] = calibration_error(answers)
    return {name: float(value) for name, value in values.items()}


def by_class(answers: Answers) -> dict[str, np.ndarray]:
    """`BY_CLASS` of each class, float64 [C]; NaN where one cannot be computed.

    `auc` is the area under the ROC curve of the class against the rest.
    """
    known, classes = answers.known, np.arange(answers.probabilities.shape[1])
    if not len(known):
        return {name: np.full(len(classes), np.nan) for name in BY_CLASS}
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        known.labels, known.answers, labels=classes, zero_division=np.nan
    )
    areas = _areas(known) if known.finite else np.full(len(classes), np.nan)
    return dict(zip(BY_CLASS, (precision, recall, f1, areas), strict=True))


def _areas(known: Answers) -> np.ndarray:
    """Area under the ROC curve of each class against the rest: float64 [C], NaN without both.

    By ranks (Mann and Whitney, 1947), for all classes at once: scikit-learn's is one class at a
    time, which takes half a minute for 500 classes and all slices.
    """
    n, classes = known.probabilities.shape
    ranks = scipy.stats.rankdata(known.probabilities, axis=0)
    mine = np.bincount(known.labels, minlength=classes).astype(float)
    summed = np.zeros(classes)
    np.add.at(summed, known.labels, ranks[np.arange(n), known.labels])
    pairs = mine * (n - mine)
    areas = (summed - mine * (mine + 1) / 2) / np.where(pairs, pairs, 1)
    return np.where(pairs, areas, np.nan)


def calibration_error(answers: Answers) -> float:
    """Expected calibration error over ten bins of equal width; NaN without images.

    Mean distance of score and accuracy over the bins, weighted by their images (Naeini et al.,
    "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015). The last bin
    includes 1.
    """
    if not len(answers) or not np.isfinite(answers.scores).all():
        return float('nan')
    scores = answers.scores.astype(np.float64)
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    gaps = np.bincount(place, scores - answers.hits, BINS)
    return float(np.abs(gaps).sum() / len(answers))


def confusion(answers: Answers) -> dict[tuple[int, int], int]:
    """How many images of a class (first) were answered as another (second); only what occurs."""
    known = answers.take(answers.has_answer).known
    pairs, counts = np.unique(
        np.stack([known.labels, known.answers], axis=1), axis=0, return_counts=True
    )
    return {
        (int(label), int(answer)): int(count)
        for (label, answer), count in zip(pairs, counts, strict=True)
    }
