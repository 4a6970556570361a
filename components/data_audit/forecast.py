"""What more images would do to the error, from probes on parts of the images there are.

The learning curve error = a + b * n^-c (Cortes et al., "Learning Curves: Asymptotic Values and Rate
of Convergence", NIPS 1993) is fitted to the errors out of fold of probes on shares of the training
images. How fast it falls further out is hardly in such data, so c is drawn from a range instead of
fitted; with the images drawn anew each time (by clusters), the draws give an interval. Its coverage
is measured in `benchmarks/audit.md`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import threadpoolctl

from thawline.components.data_audit.record import Forecast
from thawline.components.training import cross_validation

SHARES = (0.125, 0.25, 0.375, 0.55, 0.75, 1.0)
CLASS_SHARES = (0.25, 0.5, 1.0)
CONFIDENCE = 0.90
_EXPONENTS = (0.15, 0.8)
_DRAWS = 300
_FEWEST = 40  # images; fewer have no curve


@dataclasses.dataclass(frozen=True)
class LearningCurve:
    """Errors out of fold at growing numbers of training images.

    Attributes:
        sizes: float64 [S], training images.
        errors: float64 [S, N], share of wrong answers to each image.
        clusters: [N].
    """

    sizes: np.ndarray
    errors: np.ndarray
    clusters: np.ndarray


def measure(
    components: np.ndarray,
    labels: np.ndarray,
    clusters: np.ndarray,
    strength: float,
    repeats: int = 2,
    seed: int = 0,
    only: int | None = None,
) -> LearningCurve | None:
    """The learning curve; None for too few images, or without folds.

    Args:
        components: float32 [N, K].
        labels: int64 [N].
        clusters: [N], never divided between training and the images that are answered.
        strength: inverse L2 strength of the probes.
        repeats: cross-validations.
        seed: of folds and subsets.
        only: the class of which images are left out; None: of all alike.
    """
    if len(labels) < _FEWEST:
        return None
    rng = np.random.default_rng(seed)
    shares = SHARES if only is None else CLASS_SHARES
    wrong = np.zeros((len(shares), len(labels)))
    sizes = np.zeros(len(shares))
    fits = 0
    for repeat in range(repeats):
        fold = cross_validation.assign_folds(
            labels, clusters, cross_validation.FOLDS, seed + repeat
        )
        for index in np.unique(fold):
            train, held_out = np.flatnonzero(fold != index), np.flatnonzero(fold == index)
            mine = train if only is None else train[labels[train] == only]
            order, fits = rng.permutation(mine), fits + 1
            for at, share in enumerate(shares):
                part = order[: max(2, round(share * len(order)))]
                sizes[at] += len(part)
                if only is not None:
                    part = np.concatenate([train[labels[train] != only], part])
                wrong[at, held_out] += _wrong(components, labels, part, held_out, strength)
    return LearningCurve(sizes / fits, wrong / repeats, clusters)


def _wrong(
    components: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray,
    strength: float,
) -> np.ndarray:
    with threadpoolctl.threadpool_limits(1, user_api='blas'):
        *_, model = cross_validation.probe_path(components[train], labels[train], strength)
        return np.asarray(model.predict(components[held_out]) != labels[held_out])


def extrapolate(curve: LearningCurve, sizes: np.ndarray, seed: int = 0) -> np.ndarray:
    """Errors at other numbers of training images: draws float64 [300, len(sizes)]."""
    rng = np.random.default_rng(seed)
    _, member = np.unique(curve.clusters, return_inverse=True)
    counts = np.bincount(member)
    sums = np.stack([np.bincount(member, of) for of in curve.errors])  # [S, clusters]
    draws = []
    for _ in range(_DRAWS):
        chosen = np.bincount(rng.integers(0, len(counts), len(counts)), minlength=len(counts))
        errors = sums @ chosen / (counts @ chosen)
        exponent = rng.uniform(*_EXPONENTS)
        floor, slope = _fit(curve.sizes**-exponent, errors, np.sqrt(curve.sizes))
        draws.append(floor + slope * np.asarray(sizes, float) ** -exponent)
    return np.clip(draws, 0.0, 1.0)


def _fit(x: np.ndarray, errors: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """The floor and the slope, none below 0, by least squares."""
    design = np.stack([np.ones_like(x), x], axis=1) * weights[:, None]
    floor, slope = np.linalg.lstsq(design, errors * weights, rcond=None)[0]
    squares = weights**2
    if floor < 0:
        floor, slope = 0.0, (x * errors * squares).sum() / (x * x * squares).sum()
    if slope < 0:
        floor, slope = (errors * squares).sum() / squares.sum(), 0.0
    return float(floor), float(slope)


def forecast(curve: LearningCurve, now: int, more: int, label: str = '') -> Forecast:
    """The accuracy with `more` images; `now` is how many of this kind train and val have."""
    draws = 1 - extrapolate(curve, np.array([now, now + more]))
    ends = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    middle = np.median(draws, axis=0)
    return Forecast(
        more,
        label,
        float(middle[0]),
        float(middle[1]),
        *map(float, np.quantile(draws[:, 1], ends)),
        *map(float, np.quantile(draws[:, 1] - draws[:, 0], ends)),
    )
