"""The paired test of two models on the same images, and the interval of their difference."""

from __future__ import annotations

import math

import scipy.optimize
import scipy.special
import scipy.stats

from thawline.components.statistics.paired_outcome import (
    FEWEST_PAIRS,
    LEVEL,
    Difference,
    PairedOutcome,
    PairedTest,
)
from thawline.components.statistics.proportions import CONFIDENCE

_EDGE = 1e-12


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


def compare(won: int, lost: int, n: int, level: float = LEVEL) -> PairedTest:
    """Whether one model is better or worse than another on the same images, or neither is shown.

    By `mcnemar` at a level, which is the only test of two models here; its interval is that of
    `share_difference`, and holds 0 wherever the exact test at 5 % cannot rule it out.

    Args:
        won: images that the first model alone answers correctly.
        lost: images that the second model alone answers correctly.
        n: all images.
        level: of significance.

    Raises:
        ValueError: the counts are negative or more than `n`.
    """
    p_value = mcnemar(won, lost)
    difference = None
    if n or won or lost:
        difference = share_difference(lost, won, n)
        if p_value >= 1 - CONFIDENCE and difference.lower is not None:
            difference = Difference(
                difference.value, min(difference.lower, 0.0), max(difference.upper or 0.0, 0.0)
            )
    if n < FEWEST_PAIRS:
        outcome = PairedOutcome.TOO_FEW
    elif p_value >= level:
        outcome = PairedOutcome.NO_DIFFERENCE
    else:
        outcome = PairedOutcome.BETTER if won > lost else PairedOutcome.WORSE
    return PairedTest(won, lost, n, level, p_value, difference, outcome)


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
