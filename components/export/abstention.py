"""A score from which on answers are right often enough; below it, a person has to look.

Ten coverages are asked, from a tenth of the images (those with the highest scores) to all of them;
the largest one whose answers have the accuracy asked for is taken. Each is asked with a tenth of
the usual error (Bonferroni), so that the lower bound holds for the one that was chosen too: the
least score of a plain search would be chosen for its luck. Needs neither TensorFlow nor TFX.
"""

from __future__ import annotations

import numpy as np

from thawline.components.saved_model.card import AbstainThreshold
from thawline.components.statistics import proportions

COVERAGES = 10
_EACH = 1 - (1 - proportions.CONFIDENCE) / COVERAGES


def calibrate(scores: np.ndarray, right: np.ndarray, accuracy: float) -> AbstainThreshold | None:
    """The threshold of the largest coverage that has the accuracy; None where none has it.

    Args:
        scores: float [N], probability of the answer.
        right: bool [N], whether it is right.
        accuracy: in (0, 1).
    """
    n = len(scores)
    descending = np.sort(scores.astype(np.float64))[::-1]
    for tenth in range(COVERAGES, 0, -1):
        count = n * tenth // COVERAGES
        if not count:
            break
        threshold = float(descending[count - 1])
        answered = scores >= threshold  # all of equal scores
        hits, answers = int(right[answered].sum()), int(answered.sum())
        lower = proportions.lower_bound(hits, answers, _EACH)
        if lower >= accuracy:
            return AbstainThreshold(accuracy, threshold, answers / n, hits / answers, lower, n)
    return None


def images_needed(accuracy: float) -> int | None:
    """How many answers a threshold needs if all are right; None for more than ten million."""
    return proportions.images_needed(1.0, accuracy, _EACH)


def accuracy_above(scores: np.ndarray, right: np.ndarray, threshold: float) -> proportions.Interval:
    """Accuracy, with its interval, of the answers that a threshold gives on other images."""
    answered = scores >= threshold
    return proportions.wilson(int(right[answered].sum()), int(answered.sum()))
