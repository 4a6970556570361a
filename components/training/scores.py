"""Accuracy and log loss, by which the recipe decides."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.special


@dataclasses.dataclass(frozen=True)
class Scores:
    """Accuracy in [0, 1] and mean log loss in nats, over `n` images."""

    accuracy: float
    log_loss: float
    n: int

    def better_than(self, other: Scores) -> bool:
        """Higher accuracy; between equal accuracies, lower log loss."""
        return (self.accuracy, -self.log_loss) > (other.accuracy, -other.log_loss)


def losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The log loss of each image in nats: float [N, C] and int [N] -> float64 [N]."""
    log_probabilities = scipy.special.log_softmax(logits.astype(np.float64), axis=1)
    picked: np.ndarray = log_probabilities[np.arange(len(labels)), labels]
    return -picked


def score(logits: np.ndarray, labels: np.ndarray) -> Scores:
    """Scores of logits, float [N, C], against labels, int [N] in [0, C).

    Raises:
        ValueError: there is no image, or a logit is not finite.
    """
    if not len(labels):
        raise ValueError('no image to score')
    if not np.isfinite(logits).all():
        raise ValueError('a logit is not finite: the training has diverged')
    hits = logits.argmax(axis=1) == labels
    return Scores(float(hits.mean()), float(losses(logits, labels).mean()), len(labels))
