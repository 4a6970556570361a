"""Differences of two models on the same images, with their intervals: the second less the first."""

from __future__ import annotations

import dataclasses
import math

import scipy.optimize
import scipy.special
import scipy.stats

from thawline.components.statistics.proportions import CONFIDENCE

_EDGE = 1e-12


@dataclasses.dataclass(frozen=True)
class Difference:
    """A difference with the ends of its 95 % interval, None where none is computed."""

    value: float
    lower: float | None
    upper: float | None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.lower is not None and self.upper is not None and self.lower * self.upper > 0


def share_difference(
    only_first: int, only_second: int, n: int, confidence: float = CONFIDENCE
) -> Difference:
    """The difference of two shares of the same `n` images.

    Tango's score interval (Tango, "Equivalence test and confidence interval for the difference in
    proportions for the paired-sample design", Statistics in Medicine 1998): the differences that
    the score test does not reject. It stays inside [-1, 1] and has a width where no image differs.

    Args:
        only_first: images that the first model alone answers right.
        only_second: images that the second model alone answers right.
        n: all images.
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


@dataclasses.dataclass(frozen=True)
class McNemar:
    """The exact test of two models on the same images; see `mcnemar`.

    Attributes:
        worse: one-sided p-value of the first model being worse than the second.
        better: the same of being better.
        different: two-sided.
    """

    worse: float
    better: float
    different: float


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """McNemar's test (Psychometrika 1947), exact: without the approximation by chi-squared.

    Images that both models answer right, or both wrong, say nothing about which one is better. Of
    the others each is as likely to be the first model's as the second's, if the two are equal.

    Args:
        only_first: images that the first model alone answers right.
        only_second: images that the second model alone answers right.

    Raises:
        ValueError: a count is negative.
    """
    if only_first < 0 or only_second < 0:
        raise ValueError(f'counts must be at least 0. Received: {only_first}, {only_second}')
    n = only_first + only_second
    worse = float(scipy.stats.binom.cdf(only_first, n, 0.5))
    better = float(scipy.stats.binom.cdf(only_second, n, 0.5))
    return McNemar(worse, better, min(1.0, 2 * min(worse, better)))


def losses_allowed(differ: int, level: float) -> int:
    """Of `differ` images that one of two models alone answers right, most that may be the second's.

    With one more `mcnemar` calls the first model worse at `level`.
    """
    return differ - int(scipy.stats.binom.ppf(level, differ, 0.5))
