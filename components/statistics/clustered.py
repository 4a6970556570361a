"""Shares of hits with their uncertainty, alone and compared on the same images.

Contract: hits are bool [N], one an image; groups are [N], images of one group are not independent.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import scipy.optimize
import scipy.stats

from thawline.components.statistics.paired import mcnemar
from thawline.components.statistics.proportions import CONFIDENCE

_EDGE = 1e-9
_Z = float(scipy.stats.norm.ppf(0.5 + CONFIDENCE / 2))


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A share of hits in [0, 1] over `n` images, its standard error and its 95 % interval.

    `effective` is the effective sample size: how many independent images would have this error.
    """

    share: float
    standard_error: float
    lower: float
    upper: float
    n: int
    effective: float = math.nan


@dataclasses.dataclass(frozen=True)
class AccuracyGain:
    """How far one share of hits is above another on the same images.

    Attributes:
        mean: in [-1, 1].
        standard_error: of the mean.
        lower, upper: its 95 % interval (Student's t, a degree of freedom a group).
        p_value: of McNemar's exact test, which does not rest on a normal approximation.
    """

    mean: float
    standard_error: float
    lower: float
    upper: float
    p_value: float

    @property
    def significant(self) -> bool:
        """Whether it is above 0 beyond noise, by the interval and by the exact test."""
        return self.lower > 0 and self.p_value < 1 - CONFIDENCE


def _standard_error(values: np.ndarray, groups: np.ndarray) -> tuple[float, int]:
    """Standard error of the mean of `values` [N] with groups as clusters, and how many there are.

    With one image a group it is the usual s / sqrt(N). The sums of residuals a cluster are squared
    instead of the residuals (Liang & Zeger, Biometrika 1986). NaN for a single group.
    """
    _, index = np.unique(groups, return_inverse=True)
    sums = np.bincount(index, weights=values - values.mean())
    count = len(sums)
    if count < 2:
        return math.nan, count
    return math.sqrt(count / (count - 1) * float((sums**2).sum())) / len(values), count


def estimate(hits: np.ndarray, groups: np.ndarray) -> Estimate:
    """The share of hits with a Wilson interval (Wilson, JASA 1927) over the effective sample size.

    Under cross-validation each image is predicted once, by a model that has not seen its group. The
    error says how much the share varies with the images that are predicted; that training sets
    overlap is not part of it, and no unbiased estimate of it exists (Bengio & Grandvalet, JMLR
    2004).

    Raises:
        ValueError: there is no image.
    """
    n = len(hits)
    if not n:
        raise ValueError('there are no images to score')
    share = float(np.mean(hits))
    error, clusters = _standard_error(np.asarray(hits, float), groups)
    # Images of one group count for less than their number; never for more.
    effective = float(clusters)
    if clusters > 1 and error > 0:
        effective = min(float(n), share * (1 - share) / error**2)
    scale = 1 + _Z**2 / effective
    centre = (share + _Z**2 / (2 * effective)) / scale
    half = _Z / scale * math.sqrt(share * (1 - share) / effective + (_Z / (2 * effective)) ** 2)
    lower = 0.0 if share == 0 else max(0.0, centre - half)
    upper = 1.0 if share == 1 else min(1.0, centre + half)
    return Estimate(share, error, lower, upper, n, effective)


def area(scores: np.ndarray, positive: np.ndarray, groups: np.ndarray) -> Estimate:
    """The area under the ROC curve with its interval: float [N], bool [N], groups [N].

    The standard error is that of Obuchowski, "Nonparametric analysis of clustered ROC curve data",
    Biometrics 1997, which with an image a group is DeLong's. The interval is method 5 of Newcombe,
    "Confidence intervals for an effect size measure based on the Mann-Whitney statistic. Part 2",
    Statistics in Medicine 2006, whose coverage holds for twenty images and for an area of 1. Both
    numbers of images are divided by what the groups cost (the design effect).

    Raises:
        ValueError: all images are positive, or none.
    """
    wins, losses = int(positive.sum()), int((~positive).sum())
    if not wins or not losses:
        raise ValueError(f'both kinds are needed. Received: {wins} of {len(positive)} positive')
    ranks = scipy.stats.rankdata(scores)
    share = float((ranks[positive].sum() - wins * (wins + 1) / 2) / (wins * losses))
    # Of each image the share of the others that it is ordered rightly with.
    placed = np.zeros(len(scores))
    placed[positive] = (ranks[positive] - scipy.stats.rankdata(scores[positive])) / losses
    placed[~positive] = 1 - (ranks[~positive] - scipy.stats.rankdata(scores[~positive])) / wins
    residual = (placed - share) / np.where(positive, wins, losses)
    alone = math.sqrt(float((residual**2).sum()) * len(scores) / (len(scores) - 1))
    names, index = np.unique(groups, return_inverse=True)
    count = len(names)
    sums = np.bincount(index, weights=residual)
    error = math.sqrt(count / (count - 1) * float((sums**2).sum())) if count > 1 else math.nan
    effect = len(scores) / count
    if alone > 0 and error > 0:
        effect = max(1.0, (error / alone) ** 2)
    ends = _area_ends(share, wins / effect, losses / effect)
    return Estimate(share, error, *ends, len(scores))


def _area_ends(share: float, wins: float, losses: float) -> tuple[float, float]:
    """The areas that are just as far from `share` as its error there allows."""
    mean = (wins + losses) / 2 - 1

    def excess(area: float) -> float:
        spread = 1 + mean * ((1 - area) / (2 - area) + area / (1 + area))
        return (area - share) ** 2 - _Z**2 * area * (1 - area) * spread / (wins * losses)

    # At 0 and 1 there is no error, which is a solution but no end.
    lower = scipy.optimize.brentq(excess, 0.0, min(share, 1 - _EDGE)) if share > _EDGE else 0.0
    upper = scipy.optimize.brentq(excess, max(share, _EDGE), 1.0) if share < 1 - _EDGE else 1.0
    return float(lower), float(upper)


def accuracy_gain(hits: np.ndarray, others: np.ndarray, groups: np.ndarray) -> AccuracyGain:
    """The gain of `hits` over `others`, image by image: both bool [N].

    What makes an image hard for both cancels, so the error is smaller than that of two independent
    shares.

    Raises:
        ValueError: the two are not of the same images.
    """
    if len(hits) != len(others) or not len(hits):
        raise ValueError(
            f'the hits must be of the same images. Received: {len(hits)} and {len(others)} images'
        )
    gained = np.asarray(hits, float) - np.asarray(others, float)
    mean = float(gained.mean())
    error, clusters = _standard_error(gained, groups)
    wins, losses = int((gained > 0).sum()), int((gained < 0).sum())
    p_value = mcnemar(wins, losses)
    if clusters < 2:
        return AccuracyGain(mean, error, -1.0, 1.0, p_value)
    half = float(scipy.stats.t.ppf(0.5 + CONFIDENCE / 2, clusters - 1)) * error
    return AccuracyGain(mean, error, max(-1.0, mean - half), min(1.0, mean + half), p_value)
