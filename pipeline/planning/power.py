"""How often a model passes the gate, by what it is truly right on and by how many images judge.

Exact: the number of hits is binomial, where images are independent.
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.optimize
import scipy.stats

from thawline.components.statistics import proportions
from thawline.components.statistics.proportions import CONFIDENCE

MOST = 20_000  # images that are looked at


@functools.cache
def hits_needed(threshold: float, confidence: float = CONFIDENCE, most: int = MOST) -> np.ndarray:
    """The fewest hits that pass, for each number of images from 0 to `most`; n + 1: none do.

    As `proportions.hits_needed`, for all of them at once: int64 [most + 1].
    """
    n = np.arange(most + 1)
    low, high = np.zeros_like(n), n + 1
    while (open_ := low < high).any():
        middle = (low + high) // 2
        reached = proportions.lower_bounds(np.minimum(middle, n), n, confidence) >= threshold
        high = np.where(open_ & reached, middle, high)
        low = np.where(open_ & ~reached, middle + 1, low)
    return low


def chance(n: int, accuracy: float, threshold: float, confidence: float = CONFIDENCE) -> float:
    """The share of models with this true accuracy whose bound on n images reaches the threshold."""
    needed = proportions.hits_needed(n, threshold, confidence)
    return 0.0 if needed is None else float(scipy.stats.binom.sf(needed - 1, n, accuracy))


def images_for(
    share: float, accuracy: float, threshold: float, confidence: float = CONFIDENCE
) -> int | None:
    """From how many images on a model passes with at least this chance; None: not up to `MOST`.

    One image more can need one hit more, so that the chance rises in a zigzag: from there on it
    never falls below.
    """
    needed = hits_needed(threshold, confidence)
    short = np.flatnonzero(scipy.stats.binom.sf(needed - 1, np.arange(MOST + 1), accuracy) < share)
    return None if short[-1] == MOST else int(short[-1]) + 1


def accuracy_for(
    share: float, n: int, threshold: float, confidence: float = CONFIDENCE
) -> float | None:
    """What a model must truly be right on to pass with this chance; None: not even all hits do."""
    if proportions.hits_needed(n, threshold, confidence) is None:
        return None

    def excess(accuracy: float) -> float:
        return chance(n, accuracy, threshold, confidence) - share

    return float(scipy.optimize.brentq(excess, 0.0, 1.0))
