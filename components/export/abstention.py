"""A score from which on answers are right often enough; below it, a person has to look.

Ten coverages are asked, from a tenth of the images (those with the highest scores) to all of them;
the largest one whose answers have the accuracy asked for is taken. Each is asked with a tenth of
the usual error (Bonferroni), so that the lower bound holds for the one that was chosen too: the
least score of a plain search would be chosen for its luck. Images of one cluster are alike, and the
bound counts them as the gate's does. Needs neither TensorFlow nor TFX.
"""

from __future__ import annotations

import numpy as np

from thawline.components.saved_model.card import AbstainThreshold
from thawline.components.statistics import clustered_bound, proportions

COVERAGES = 10
_EACH = clustered_bound.ALPHA / COVERAGES


def calibrate(
    scores: np.ndarray, right: np.ndarray, accuracy: float, clusters: np.ndarray | None = None
) -> AbstainThreshold | None:
    """The threshold of the largest coverage that has the accuracy; None where none has it.

    Args:
        scores: float [N], probability of the answer.
        right: bool [N], whether it is right.
        accuracy: in (0, 1).
        clusters: names [N]; None where each image is one.
    """
    n = len(scores)
    clusters = np.arange(n) if clusters is None else clusters
    descending = np.sort(scores.astype(np.float64))[::-1]
    for tenth in range(COVERAGES, 0, -1):
        count = n * tenth // COVERAGES
        if not count:
            break
        threshold = float(descending[count - 1])
        answered = scores >= threshold  # all of equal scores
        hits, answers = int(right[answered].sum()), int(answered.sum())
        tally = clustered_bound.tally(right[answered], clusters[answered])
        lower = clustered_bound.lower_bound(hits, answers, tally, _EACH)
        if lower >= accuracy:
            return AbstainThreshold(accuracy, threshold, answers / n, hits / answers, lower, n)
    return None


def images_needed(accuracy: float) -> int | None:
    """How many answers a threshold needs if all are right; None for more than ten million."""
    return proportions.images_needed(1.0, accuracy, 1 - 2 * _EACH)


def accuracy_above(
    scores: np.ndarray, right: np.ndarray, threshold: float, clusters: np.ndarray | None = None
) -> proportions.Interval:
    """Accuracy, with its interval, of the answers that a threshold gives on other images."""
    answered = scores >= threshold
    names = (np.arange(len(scores)) if clusters is None else clusters)[answered]
    hits = right[answered]
    return clustered_bound.interval(int(hits.sum()), len(hits), clustered_bound.tally(hits, names))
