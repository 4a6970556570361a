"""Bounds of a share of hits that hold for images in clusters, however alike those of a cluster are.

A tally is what they need of the images: (hits, images, how many clusters have so many of both). The
empty tally stands for images that are each a cluster of their own, which is what `proportions`
takes all images for.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.optimize

from thawline.components.statistics import proportions
from thawline.components.statistics.clustered import Estimate, estimate
from thawline.components.statistics.proportions import CONFIDENCE, MOST_IMAGES, Interval

Tally = tuple[tuple[int, int, int], ...]

ALPHA = (1 - CONFIDENCE) / 2
_NODES = 96  # of the inversion
_NEGLIGIBLE = -32.0  # log of what is left of the integrand where its line ends
_MOST_DOUBLINGS = 100
_BISECTIONS = 40
_TOLERANCE = 1e-10


def tally(hits: np.ndarray, clusters: np.ndarray) -> Tally:
    """The tally of images: bool [N], names of clusters [N]; empty if no two share a cluster."""
    _, index = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(index)
    if not len(hits) or sizes.max() == 1:
        return ()
    right = np.bincount(index, weights=np.asarray(hits, float)).astype(int)
    kinds, number = np.unique(np.stack([right, sizes], axis=1), axis=0, return_counts=True)
    return tuple(
        (int(h), int(n), int(k)) for (h, n), k in zip(kinds.tolist(), number.tolist(), strict=True)
    )


def cluster_count(n: int, clusters: Tally) -> int:
    """How many clusters the `n` images are in."""
    return sum(k for _, _, k in clusters) if clusters else n


def lower_bound(hits: int, n: int, clusters: Tally = (), alpha: float = ALPHA) -> float:
    """What the gate holds against its threshold: a share that is shown to be reached.

    For independent images it is `proportions.lower_bound`. For clusters it is the bound that Gaffke
    proposed for the mean of any bounded variable ("Three test statistics for a nonparametric
    one-sided hypothesis on the mean of a nonnegative variable", Mathematical Methods of Statistics
    2005; Learned-Miller & Thomas, "A new confidence interval for the mean of a bounded random
    variable", arXiv 1905.06208): the clusters, and one more of misses alone, get random weights
    that are uniform on the simplex, and the bound is the `alpha` quantile of the weighted share. It
    asks for no model of how images of a cluster agree. With one image a cluster it is the exact
    bound of Clopper & Pearson. That it holds for every distribution is a conjecture;
    `benchmarks/gate_clusters.py` tries it.

    Where sizes differ, the size of the added cluster decides between safety and power (the same
    choice as in the interval of Fay & Feuer, "Confidence intervals for directly standardized
    rates", Statistics in Medicine 1997). With the largest one, 500 single images and one cluster
    of 6, all correct, have a bound of 0.958 instead of 0.992; with that of a random image, a few
    large clusters that are unlike the rest break the bound. It is that of a random pair of images
    of one cluster: sum n^3 / sum n^2.

    Args:
        hits: of all images.
        n: images.
        clusters: their tally.
        alpha: share of cases in which the bound may be above the true share.

    Raises:
        ValueError: hits are not in [0, n], or are not those of the tally.
    """
    if not clusters:
        return proportions.lower_bound(hits, n, 1 - 2 * alpha)
    _check(hits, n, clusters)
    if not hits:
        return 0.0
    right, size, number = (np.array(column, float) for column in zip(*clusters, strict=True))

    def excess(share: float) -> float:
        return float(not_above(right, size, number, share)) - alpha

    low, high = _TOLERANCE, hits / n
    if excess(high) < 0:  # one cluster beside many hits
        high = 1 - _TOLERANCE
    if excess(low) > 0:
        return 0.0
    return float(scipy.optimize.brentq(excess, low, high, xtol=_TOLERANCE))


def upper_bound(hits: int, n: int, clusters: Tally = (), alpha: float = ALPHA) -> float:
    """The mirror of `lower_bound`: one less the bound of the share of misses; 1 for n = 0.

    For independent images it is `proportions.upper_bound`.

    Raises:
        ValueError: as `lower_bound`.
    """
    if not clusters:
        return proportions.upper_bound(hits, n, alpha)
    mirrored = tuple((size - right, size, number) for right, size, number in clusters)
    return 1 - lower_bound(n - hits, n, mirrored, alpha)


def interval(hits: int, n: int, clusters: Tally = ()) -> Interval:
    """The share with the 95 % interval that people are shown: that of `clustered.estimate`.

    Raises:
        ValueError: as `lower_bound`.
    """
    if not clusters:
        return proportions.wilson(hits, n)
    of = _estimate(hits, n, clusters)
    return Interval(of.share, of.lower, of.upper, n)


def effective_count(hits: int, n: int, clusters: Tally = ()) -> tuple[int, int]:
    """Hits and images of a set of independent images that says as much: n over the design effect.

    Rounded, for tests that count (Rao & Scott, "A simple method for the analysis of clustered
    binary data", Biometrics 1992); `hits` and `n` themselves where each image is a cluster.
    """
    if not clusters:
        return hits, n
    of = _estimate(hits, n, clusters)
    images = max(1, math.floor(of.effective))
    return min(images, round(of.share * images)), images


def clusters_needed(
    hits: int, n: int, clusters: Tally, share: float, alpha: float = ALPHA
) -> int | None:
    """With how many images in clusters like these the bound reaches `share`, at this accuracy.

    About so many: the tally is multiplied, by a real number. None as in
    `proportions.images_needed`.
    """
    if not clusters:
        return proportions.images_needed(hits / n, share, 1 - 2 * alpha)
    if hits / n <= share:
        return None
    right, size, number = (np.array(column, float) for column in zip(*clusters, strict=True))

    def excess(factor: float) -> float:
        return float(not_above(right, size, factor * number, share)) - alpha

    low, high = 0.0, 1.0
    while excess(high) > 0:
        low, high = high, 2 * high
        if high * n > MOST_IMAGES:
            return None
    return math.ceil(n * scipy.optimize.brentq(excess, low, high, xtol=0.1 / n)) if low else n


def _estimate(hits: int, n: int, clusters: Tally) -> Estimate:
    _check(hits, n, clusters)
    sizes = np.repeat([size for _, size, _ in clusters], [k for *_, k in clusters])
    return estimate(_expand(clusters), np.repeat(np.arange(len(sizes)), sizes))


def _expand(clusters: Tally) -> np.ndarray:
    """Hits bool [N], cluster after cluster."""
    parts = [np.tile(np.arange(size) < right, number) for right, size, number in clusters]
    return np.concatenate(parts)


def not_above(right: np.ndarray, size: np.ndarray, number: np.ndarray, share: float) -> np.ndarray:
    """The probability that the randomly weighted share of hits is at or below `share`.

    Weights that are uniform on the simplex are independent exponential variables over their sum.
    The sign of sum_g weight_g (hits_g - share images_g) does not depend on that sum, and clusters
    of one kind add up to a gamma variable; so this is the probability that a linear combination of
    gamma variables is not above 0. It is found by inverting the moment generating function on the
    vertical line through its saddle point, where the trapezoidal rule converges exponentially.

    Args:
        right: float [K], hits of a cluster of each kind.
        size: float [K], its images.
        number: float [..., K], clusters of each kind; 0 for none.
        share: in (0, 1).

    Returns:
        float [...].
    """
    number = np.asarray(number, float)
    added = (number * size**3).sum(axis=-1) / (number * size**2).sum(axis=-1)
    weights = np.concatenate([right - share * size, [0.0]])
    weights = np.broadcast_to(weights, (*number.shape[:-1], len(weights))).copy()
    weights[..., -1] = -share * added
    counts = np.concatenate([number, np.ones((*number.shape[:-1], 1))], axis=-1)
    return _not_positive(np.where(counts > 0, weights, 0.0), counts)


def _not_positive(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """P(sum_k weights_k Gamma(counts_k) <= 0), both float [..., K]; some weight is negative."""
    # The smaller one of the two sides is the one that is integrated.
    turned = ((weights * counts).sum(axis=-1) < 0) & (weights > 0).any(axis=-1)
    weights = np.where(turned[..., None], -weights, weights)
    saddle = _saddle(weights, counts)
    terms = weights / (1 - weights * saddle[..., None])
    scale = 1 / np.sqrt((counts * terms**2).sum(axis=-1) + saddle**-2)
    # The line is saddle + i scale sinh(x): dense near the saddle point, and far where few clusters
    # let the integrand decay slowly.
    end = scale
    for _ in range(_MOST_DOUBLINGS):
        decay = -0.5 * (counts * np.log1p((terms * end[..., None]) ** 2)).sum(axis=-1)
        decay -= 0.5 * np.log1p((end / saddle) ** 2) - np.log(end / scale)
        if (small := decay < _NEGLIGIBLE).all():
            break
        end = np.where(small, end, 2 * end)
    step = np.arcsinh(end / scale) / _NODES
    x = step[..., None] * (np.arange(_NODES) + 0.5)
    line = saddle[..., None] + 1j * scale[..., None] * np.sinh(x)  # [..., nodes]
    logs = np.zeros(line.shape, complex)
    for k in range(weights.shape[-1]):
        logs -= counts[..., k, None] * np.log1p(-weights[..., k, None] * line)
    values = (np.exp(logs) / -line).real * np.cosh(x)
    below = np.clip(values.sum(axis=-1) * step * scale / math.pi, 0.0, 1.0)
    return np.where(turned, 1 - below, below)


def _saddle(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Where the integrand is least between its poles, at 1 / the least weight and at 0."""
    low, high = 1 / weights.min(axis=-1), np.zeros(weights.shape[:-1])
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        slope = (counts * weights / (1 - weights * middle[..., None])).sum(axis=-1) - 1 / middle
        low, high = np.where(slope < 0, middle, low), np.where(slope < 0, high, middle)
    return (low + high) / 2


def _check(hits: int, n: int, clusters: Tally) -> None:
    sums = sum(h * k for h, _, k in clusters), sum(m * k for _, m, k in clusters)
    if not np.allclose(sums, (hits, n)) or not 0 <= hits <= n:
        raise ValueError(f'the tally has {sums[0]} hits of {sums[1]}. Received: {hits} of {n}')
