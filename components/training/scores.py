"""Accuracy and log loss, by which the recipe decides."""

from __future__ import annotations

import numpy as np
import scipy.special

from thawline.components.training.record import Scores


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
