"""Whether two sets of images can be told apart by their features: a classifier two-sample test.

A linear classifier that learned from some of the images says of the others which set they are from
(Lopez-Paz & Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017; for drift: Rabanser et al.,
"Failing Loudly", NeurIPS 2019). It is least squares with an L2 penalty, the direction of a linear
discriminant, because its answers to a thousand other assignments come from one factorisation: so
the test is by permutation, exact for any number of images. Images that are not independent of each
other are one unit: never on both sides of a fold, and always of one set in a permutation.

Contract: features float32 [N, D]; is_new bool [N]; units str [N].
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.linalg
import scipy.stats
import threadpoolctl

from thawline.components.data_audit import out_of_fold
from thawline.components.statistics import clustered
from thawline.components.statistics.clustered import Estimate

FOLDS = 5
PERMUTATIONS = 999
# Of the mean variance of the components: see benchmarks/drift.md.
_PENALTY = 3.0
_CHUNK = 250  # permutations at a time


@dataclasses.dataclass(frozen=True)
class TwoSampleTest:
    """How well the two sets can be told apart.

    Attributes:
        auroc: out of fold; its share is the area, 0.5 where the sets are alike.
        p_value: of an area so large where units are of either set by chance.
        scores: float64 [N], out of fold; the higher, the more an image looks like the new set.
    """

    auroc: Estimate
    p_value: float
    scores: np.ndarray


def test(
    features: np.ndarray, is_new: np.ndarray, units: np.ndarray, seed: int = 0
) -> TwoSampleTest:
    """Tests whether the new images are from where the others are.

    Raises:
        ValueError: one of the sets is empty.
    """
    if is_new.all() or not is_new.any():
        raise ValueError(f'two sets are needed. Received: {is_new.sum()} of {len(is_new)} new')
    rng = np.random.default_rng(seed)
    names, unit = np.unique(units, return_inverse=True)
    # Folds know nothing of the sets, or permutations would not be exchangeable.
    fold = (rng.permutation(len(names)) % FOLDS)[unit]
    components = out_of_fold.principal_components(features, np.arange(len(features)))
    # An image of the new set may be a copy of an earlier one: the two are a unit for the folds,
    # and one each for the permutations.
    _, moved = np.unique(np.stack([unit, is_new]), axis=1, return_inverse=True)
    of_moved = np.zeros(moved.max() + 1, bool)
    of_moved[moved] = is_new
    areas = []
    for start in range(0, PERMUTATIONS + 1, _CHUNK):
        count = min(_CHUNK, PERMUTATIONS + 1 - start)
        assigned = np.stack([rng.permutation(of_moved) for _ in range(count)], axis=1)[moved]
        if not start:
            assigned[:, 0] = is_new
        scores = _scores(components, assigned, fold)
        if not start:
            observed = scores[:, 0].copy()
        areas.append(_areas(scores, assigned))
    area = np.concatenate(areas)
    p_value = float((area >= area[0]).mean())
    return TwoSampleTest(clustered.area(observed, is_new, units), p_value, observed)


def _scores(components: np.ndarray, assigned: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Out-of-fold scores of each column of `assigned`: float32 [N, K], bool [N, P] -> [N, P].

    Without an intercept, which would be lower wherever a fold holds more of the new images.
    """
    scores = np.zeros(assigned.shape)
    with threadpoolctl.threadpool_limits(1, user_api='blas'):
        for index in range(FOLDS):
            held_out = fold == index
            rest, targets = components[~held_out], assigned[~held_out].astype(np.float32)
            if not held_out.any() or not len(rest):
                continue
            mean = rest.mean(axis=0)
            centred = rest - mean
            covariance = centred.T @ centred
            covariance.flat[:: len(covariance) + 1] += _PENALTY * max(
                np.trace(covariance) / len(covariance), 1e-12
            )
            weights = scipy.linalg.solve(
                covariance, centred.T @ (targets - targets.mean(axis=0)), assume_a='pos'
            )
            scores[held_out] = (components[held_out] - mean) @ weights
    return scores


def _areas(scores: np.ndarray, assigned: np.ndarray) -> np.ndarray:
    """The area under the ROC curve of each column; 0.5 where all images are of one set."""
    ranks = scipy.stats.rankdata(scores, axis=0)
    new = assigned.sum(axis=0)
    old = len(assigned) - new
    wins = np.where(assigned, ranks, 0).sum(axis=0) - new * (new + 1) / 2
    return np.asarray(wins / np.maximum(new * old, 1))
