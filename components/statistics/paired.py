"""The paired test of two models on the same images, and the interval of their difference."""

from __future__ import annotations

import math

import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats

from thawline.components.statistics.paired_outcome import (
    FEWEST_GROUPS,
    FEWEST_PAIRS,
    LEVEL,
    Difference,
    PairedOutcome,
    PairedTest,
)
from thawline.components.statistics.proportions import CONFIDENCE

PairTally = tuple[tuple[int, int, int], ...]

_EDGE = 1e-12


def share_difference(
    only_first: float, only_second: float, n: float, confidence: float = CONFIDENCE
) -> Difference:
    """The difference of two shares of the same `n` images.

    Tango's score interval (Tango, "Equivalence test and confidence interval for the difference in
    proportions for the paired-sample design", Statistics in Medicine 1998): the differences that
    the score test does not reject. It stays inside [-1, 1] and has a width where no image differs.

    Args:
        only_first: images that the first model alone answers right.
        only_second: images that the second model alone answers right.
        n: all images. All three may be real numbers, such as effective ones.
        confidence: of the two-sided interval.

    Raises:
        ValueError: the counts are negative or more than `n`, or there is no image.
    """
    if min(only_first, only_second) < 0 or only_first + only_second > n or n < 1:
        raise ValueError(
            'counts must be at least 0 and at most the number of images. '
            f'Received: {only_first} and {only_second} of {n}'
        )
    value = (only_second - only_first) / n
    z = float(scipy.stats.norm.ppf(0.5 + confidence / 2))

    def score(delta: float) -> float:
        # The share that the first alone answers right, of greatest likelihood at this difference.
        b = (2 * n - only_second + only_first) * delta - only_first - only_second
        c = -only_first * delta * (1 - delta)
        share = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        variance = n * (2 * share + delta * (1 - delta))
        gap = only_second - only_first - n * delta
        return gap / math.sqrt(max(variance, _EDGE * _EDGE))

    lower, upper = -1.0, 1.0
    if value > -1:
        lower = scipy.optimize.brentq(lambda delta: score(delta) - z, -1 + _EDGE, value)
    if value < 1:
        upper = scipy.optimize.brentq(lambda delta: score(delta) + z, value, 1 - _EDGE)
    return Difference(value, float(lower), float(upper))


def pair_tally(hits: np.ndarray, others: np.ndarray, clusters: np.ndarray) -> PairTally:
    """The tally of two models on the same images: bool [N] each, names of clusters [N].

    Empty if no two images share a cluster.
    """
    _, index = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(index)
    if not len(hits) or sizes.max() == 1:
        return ()
    gained = np.bincount(index, weights=np.asarray(hits, float) - np.asarray(others, float))
    kinds, number = np.unique(
        np.stack([gained.astype(int), sizes], axis=1), axis=0, return_counts=True
    )
    return tuple((int(d), int(n), int(k)) for (d, n), k in zip(kinds, number, strict=True))


def compare(
    won: int, lost: int, n: int, level: float = LEVEL, clusters: PairTally = ()
) -> PairedTest:
    """Whether one model is better or worse than another on the same images, or neither is shown.

    By `sign_flip` at a level, which is the only test of two models here, and is McNemar's where
    each image is a cluster; its interval is that of `share_difference`, of as many images as the
    clusters are worth, and holds 0 wherever the exact test at 5 % cannot rule it out.

    Args:
        won: images that the first model alone answers correctly.
        lost: images that the second model alone answers correctly.
        n: all images.
        level: of significance.
        clusters: their tally: (won less lost, images, how many clusters have so many of both);
            empty where each image is a cluster.

    Raises:
        ValueError: the counts are negative or more than `n`, or are not those of the tally.
    """
    units = sum(k for *_, k in clusters) if clusters else n
    p_value = sign_flip(clusters) if clusters else mcnemar(won, lost)
    difference = None
    if n or won or lost:
        difference = cluster_difference(won, lost, n, clusters)
        if p_value >= 1 - CONFIDENCE and difference.lower is not None:
            difference = Difference(
                difference.value, min(difference.lower, 0.0), max(difference.upper or 0.0, 0.0)
            )
    if n < FEWEST_PAIRS or units < FEWEST_GROUPS:
        outcome = PairedOutcome.TOO_FEW
    elif p_value >= level:
        outcome = PairedOutcome.NO_DIFFERENCE
    else:
        outcome = PairedOutcome.BETTER if won > lost else PairedOutcome.WORSE
    groups = units if clusters else None
    return PairedTest(won, lost, n, level, p_value, difference, outcome, groups)


def cluster_difference(won: int, lost: int, n: int, clusters: PairTally = ()) -> Difference:
    """The difference of `share_difference`, of as many images as the clusters are worth.

    Arguments as those of `compare`; the first model less the second.
    """
    effect = _design_effect(won, lost, n, clusters)
    return share_difference(lost / effect, won / effect, n / effect)


def sign_flip(clusters: PairTally) -> float:
    """Two-sided p-value of the sign-flip test over clusters, exact.

    If the two models are equal, what one of them wins in a cluster might as well be the other's:
    each difference keeps its size, and its sign is a coin's (Fisher, "The Design of Experiments",
    1935, section 21). The distribution of their sum is computed, not sampled. Where no cluster
    differs by more than an image, the test is `mcnemar`.
    """
    total = abs(sum(d * k for d, _, k in clusters))
    sizes: dict[int, int] = {}
    for d, _, k in clusters:
        if d:
            sizes[abs(d)] = sizes.get(abs(d), 0) + k
    if set(sizes) <= {1}:
        differ = sizes.get(1, 0)
        return mcnemar((differ + total) // 2, (differ - total) // 2)
    # Of the sum of what goes to the second model, from 0 to all.
    chances = np.ones(1)
    for size, count in sizes.items():
        spread = np.zeros(size * count + 1)
        spread[::size] = scipy.stats.binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, spread)
    least = (len(chances) - 1 - total) // 2
    return min(1.0, 2 * float(chances[: least + 1].sum()))


def _design_effect(won: int, lost: int, n: int, clusters: PairTally) -> float:
    """By how much the variance of the difference is above that of independent images; at least 1.

    Raises:
        ValueError: the tally is of other images.
    """
    if not clusters:
        return 1.0
    difference, size, number = (np.array(column, float) for column in zip(*clusters, strict=True))
    if (number @ size, number @ difference) != (n, won - lost):
        raise ValueError(f'the tally is of other images. Received: {won}, {lost} of {n}')
    alone = won + lost - (won - lost) ** 2 / n
    units = number.sum()
    if units < 2 or alone <= 0:
        return float(n / units)
    squares = number @ (difference - (won - lost) / n * size) ** 2
    # No more than if all images of a cluster were one.
    most = float(number @ size**2) / n
    return float(np.clip(units / (units - 1) * squares / alone, 1.0, max(most, 1.0)))


def mcnemar(won: int, lost: int) -> float:
    """Two-sided p-value of McNemar's test (Psychometrika 1947), exact: without chi-squared.

    Images that both models answer right, or both wrong, say nothing about which one is better. Of
    the others each is as likely to be the first model's as the second's, if the two are equal.

    Args:
        won: images that the first model alone answers right.
        lost: images that the second model alone answers right.

    Raises:
        ValueError: a count is negative.
    """
    if won < 0 or lost < 0:
        raise ValueError(f'counts must be at least 0. Received: {won}, {lost}')
    return min(1.0, 2 * float(scipy.stats.binom.cdf(min(won, lost), won + lost, 0.5)))


def losses_allowed(differ: int, level: float) -> int:
    """Of `differ` images that one of two models alone answers right, most that may be the second's.

    With one more `mcnemar` finds at `level` that the first model is worse.
    """
    return differ - int(scipy.stats.binom.ppf(level / 2, differ, 0.5))
