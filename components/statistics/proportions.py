"""What counts of hits say about the share behind them, and about the difference of two.

Needs neither TensorFlow nor TFX. All of it takes the images as independent of each other and the
model as fixed before they were looked at.
"""

from __future__ import annotations

import bisect
import dataclasses
import math

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.special
import scipy.stats

CONFIDENCE = 0.95
MOST_IMAGES = 10_000_000


@dataclasses.dataclass(frozen=True)
class Interval:
    """A share of `n` with the ends of its 95 % Wilson interval; share is None where n is 0."""

    share: float | None
    lower: float
    upper: float
    n: int


def _check(hits: int, n: int) -> None:
    if not 0 <= hits <= n:
        raise ValueError(f'hits must be between 0 and n. Received: {hits} of {n}')


def wilson(hits: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """The share of `hits` among `n` with its two-sided interval; (None, 0, 1) for n = 0.

    Wilson's score interval (Wilson, JASA 1927) stays inside [0, 1] and is sensible for small counts
    and for shares near 1. Its coverage is 95 % on average, for some n and shares a little less:
    what must not be less than it says is `lower_bound`.

    Raises:
        ValueError: hits are not in [0, n].
    """
    _check(hits, n)
    if n == 0:
        return Interval(None, 0.0, 1.0, 0)
    ends = scipy.stats.binomtest(hits, n).proportion_ci(confidence, method='wilson')
    return Interval(hits / n, float(ends.low), float(ends.high), n)


def lower_bounds(
    hits: npt.ArrayLike, n: npt.ArrayLike, confidence: float = CONFIDENCE
) -> np.ndarray:
    """The gate's bound of each share of `hits` among `n`: float64, in the shape of both together.

    The lower end of Wilson's interval or that of the exact one (Clopper & Pearson, Biometrika
    1934), whichever is lower. With Wilson's alone a share of exactly t reaches t for some n in more
    than the 2.5 % of cases that one side of a 95 % interval allows (n = 54, t = 0.8: 2.8 %); the
    exact end allows 2.5 % at most, for any n and t. Near 1 it is Wilson's that is lower.

    Args:
        hits: real numbers in [0, n]; 0 where n is 0.
        n: real numbers, at least 0.
        confidence: of the two-sided interval whose lower end this is.
    """
    hits, n = np.broadcast_arrays(np.asarray(hits, float), np.asarray(n, float))
    z = scipy.stats.norm.ppf(0.5 + confidence / 2)
    trials = np.maximum(n, 1.0)
    share = hits / trials
    centre = share + z**2 / (2 * trials)
    half = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    score = (centre - half) / (1 + z**2 / trials)
    some = hits > 0
    exact = scipy.special.betaincinv(
        np.where(some, hits, 1.0), np.where(some, n - hits + 1, 1.0), 0.5 - confidence / 2
    )
    return np.where(some, np.clip(np.minimum(score, exact), 0.0, 1.0), 0.0)


def lower_bound(hits: int, n: int, confidence: float = CONFIDENCE) -> float:
    """One of `lower_bounds`: what the gate holds against its threshold; 0 for n = 0.

    Raises:
        ValueError: hits are not in [0, n].
    """
    _check(hits, n)
    return float(lower_bounds(hits, n, confidence))


def upper_bound(hits: int, n: int, alpha: float) -> float:
    """The exact upper bound of a share (Clopper & Pearson, Biometrika 1934); 1 for n = 0.

    A share at or above it would give so few hits in at most the share `alpha` of cases.

    Raises:
        ValueError: hits are not in [0, n].
    """
    _check(hits, n)
    return 1.0 if hits == n else float(scipy.special.betaincinv(hits + 1, n - hits, 1 - alpha))


def anytime_interval(hits: int, n: int, alpha: float = 1 - CONFIDENCE) -> Interval:
    """A share with an interval that holds at all n at once: one may look after every image.

    Over an endless sequence of independent images, the share is ever outside in at most the share
    `alpha` of cases, whenever one looks and stops; Wilson's interval is left sooner or later. It
    has the shares p whose likelihood is less than 1 / alpha times below that of a mixture over all
    p, here Jeffreys' beta(1/2, 1/2) (Robbins, "Statistical methods related to the law of the
    iterated logarithm", Annals of Mathematical Statistics 1970; Ville's inequality). (None, 0, 1)
    for n = 0.

    Raises:
        ValueError: hits are not in [0, n].
    """
    _check(hits, n)
    if n == 0:
        return Interval(None, 0.0, 1.0, 0)
    misses = n - hits
    mixture = scipy.special.betaln(hits + 0.5, misses + 0.5) - scipy.special.betaln(0.5, 0.5)

    def excess(p: float) -> float:
        likelihood = scipy.special.xlogy(hits, p) + scipy.special.xlog1py(misses, -p)
        return float(mixture - likelihood + math.log(alpha))

    share = hits / n
    lower = scipy.optimize.brentq(excess, 1e-12, share) if hits else 0.0
    upper = scipy.optimize.brentq(excess, share, 1 - 1e-12) if misses else 1.0
    return Interval(share, float(lower), float(upper), n)


def images_to_refute(share: float, alpha: float) -> int:
    """The fewest images of which not one hit shows at `alpha` that a share is below `share`."""
    return max(1, math.floor(math.log(alpha) / math.log1p(-max(share, 1e-9))) + 1)


def hits_needed(n: int, threshold: float, confidence: float = CONFIDENCE) -> int | None:
    """The fewest hits among `n` whose lower bound reaches `threshold`; None if even `n` do not."""
    if lower_bound(n, n, confidence) < threshold:
        return None
    return bisect.bisect_left(
        range(n), True, key=lambda hits: lower_bound(hits, n, confidence) >= threshold
    )


def hits_for_share(n: int, share: float) -> int:
    """The fewest hits among `n` whose measured share is at least `share`."""
    return next(hits for hits in range(math.floor(share * n), n + 1) if hits / n >= share)


def images_needed(share: float, threshold: float, confidence: float = CONFIDENCE) -> int | None:
    """From how many images on a measured share of `share` has a bound that reaches `threshold`.

    About so many: hits are taken as the real number share * n.

    Returns:
        None where `share` is not above `threshold`, so that no number would do, or so little above
        it that ten million would not.
    """
    if share <= threshold:
        return None

    def reaches(n: int) -> bool:
        return bool(lower_bounds(share * n, n, confidence) >= threshold)

    n = 1
    while not reaches(n):
        n *= 2
        if n > MOST_IMAGES:
            return None
    return bisect.bisect_left(range(n), True, lo=n // 2 + 1, key=reaches)


def fisher_p_value(hits: int, n: int, other_hits: int, other_n: int) -> float:
    """One-sided p-value of the share of `hits` being lower than that of `other_hits`.

    Fisher's exact test for two sets of different images. It errs on the side of finding nothing:
    of two equal shares it calls at most the share `level` different at that level. 1 where one of
    the sets is empty.

    Raises:
        ValueError: hits are not in [0, n].
    """
    _check(hits, n)
    _check(other_hits, other_n)
    if not n or not other_n:
        return 1.0
    both = hits + other_hits
    p_value = float(scipy.stats.hypergeom.cdf(hits, n + other_n, both, n))
    return 1.0 if math.isnan(p_value) else min(1.0, p_value)


def hits_not_lower(n: int, other_hits: int, other_n: int, level: float) -> int:
    """The fewest hits among `n` that `fisher_p_value` does not call lower at `level`."""
    return bisect.bisect_left(
        range(n), True, key=lambda hits: fisher_p_value(hits, n, other_hits, other_n) >= level
    )
