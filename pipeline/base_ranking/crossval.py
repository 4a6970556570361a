"""Cross-validated accuracy of a linear probe and of nearest neighbours on given features.

Contract: features float32 [N, D], labels int [N], groups [N] (hashable). A group is never on both
sides of a fold, nor of the inner split that chooses the probe's L2 strength.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator

import numpy as np
import sklearn.dummy
import sklearn.exceptions
import sklearn.linear_model
import sklearn.metrics
import sklearn.model_selection
import sklearn.neighbors
import sklearn.preprocessing
import threadpoolctl

from thawline.components.shared import progress
from thawline.components.shared.errors import DataError
from thawline.components.statistics import clustered
from thawline.components.training.probe import L2_PATH

FOLDS = 5
NEIGHBOURS = 5


@dataclasses.dataclass(frozen=True)
class ProbeScores:
    """What the features are worth; everything is out of fold.

    Attributes:
        probe, knn, majority: accuracy of logistic regression, of nearest neighbours, and of always
            saying the most frequent class of the other folds.
        probe_hits, knn_hits, majority_hits: bool [N], in the order of the images.
        probabilities: float32 [N, C] of the probe, columns in the order of the sorted labels; 0 for
            a class that the other folds lack.
        strengths: the inverse L2 strength that each fold's inner split chose.
    """

    probe: clustered.Estimate
    knn: clustered.Estimate
    majority: clustered.Estimate
    probe_hits: np.ndarray
    knn_hits: np.ndarray
    majority_hits: np.ndarray
    probabilities: np.ndarray
    strengths: tuple[float, ...]


def assign_folds(labels: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Which fold each image is tested in: int [N]; stratified as far as whole groups allow.

    Fewer folds than asked for where there are fewer groups, or no class has as many images.

    Raises:
        DataError: fewer than two classes or two groups: nothing can be held out.
    """
    _, counts = np.unique(labels, return_counts=True)
    available = len(np.unique(groups))
    if len(counts) < 2:
        raise DataError(
            f'telling classes apart needs at least two of them; the {len(labels)} labelled images '
            f'have {len(counts)}'
        )
    if available < 2:
        raise DataError(
            f'all {len(labels)} images are of one group, so that none can be held out; '
            'cross-validation needs at least two groups (see data.group_pattern)'
        )
    number = max(2, min(folds, available, int(counts.max())))
    fold = np.zeros(len(labels), np.int64)
    splitter = sklearn.model_selection.StratifiedGroupKFold(number, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer images than folds is absent from some; its images count all the same.
        warnings.filterwarnings('ignore', message='The least populated class')
        if counts.max() < 2:  # every class once: stratification has nothing to go by
            parts = sklearn.model_selection.GroupKFold(number).split(labels, labels, groups)
        else:
            parts = splitter.split(np.zeros(len(labels)), labels, groups)
        for index, (_, held_out) in enumerate(parts):
            fold[held_out] = index
    return fold


def cross_validate(
    features: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    folds: int = FOLDS,
    seed: int = 0,
) -> ProbeScores:
    """Accuracy of a probe and of nearest neighbours on images that they have not seen.

    The probe is the recipe's own kind of head: standardised features, multinomial logistic
    regression by L-BFGS. Its L2 strength is chosen within the other folds, on a part of them that
    is held out, and the probe is then fitted to all of them: the fold it is tested on decides
    nothing. Fixing the strength instead would favour bases whose width happens to suit it.

    Args:
        features: float32 [N, D]; the same (labels, groups, folds, seed) always give the same folds.

    Raises:
        ValueError: lengths differ, or a feature is not finite.
        DataError: see `fold_of`.
    """
    if not len(features) == len(labels) == len(groups):
        raise ValueError(
            'one row of features, one label and one group an image. Received: '
            f'{len(features)}, {len(labels)} and {len(groups)}'
        )
    if not np.isfinite(features).all():
        raise ValueError('a feature is not finite')
    classes, targets = np.unique(labels, return_inverse=True)
    fold = assign_folds(targets, groups, folds, seed)
    used = np.unique(fold)
    probabilities = np.zeros((len(targets), len(classes)), np.float32)
    neighbours, most = np.empty_like(targets), np.empty_like(targets)
    strengths = []
    progress.start('folds', len(used))
    # Matrices this small are faster on one core; with two, where another program has one of them,
    # the threads of BLAS spend their time waiting for each other (measured: 30 times slower).
    with threadpoolctl.threadpool_limits(1, user_api='blas'):
        for index in used:
            held_out = fold == index
            seen = ~held_out
            scaler = sklearn.preprocessing.StandardScaler().fit(features[seen])
            scaled = scaler.transform(features)
            strength = _choose_strength(scaled[seen], targets[seen], groups[seen], seed)
            *_, model = _probe_path(scaled[seen], targets[seen], strength)
            rows = np.flatnonzero(held_out)
            probabilities[np.ix_(rows, model.classes_)] = model.predict_proba(scaled[held_out])
            neighbours[held_out] = _predict_neighbours(
                features[seen], targets[seen], features[held_out]
            )
            most[held_out] = np.bincount(targets[seen]).argmax()
            strengths.append(strength)
            progress.advance()
    probe_hits = probabilities.argmax(axis=1) == targets
    knn_hits, majority_hits = neighbours == targets, most == targets
    return ProbeScores(
        clustered.estimate(probe_hits, groups),
        clustered.estimate(knn_hits, groups),
        clustered.estimate(majority_hits, groups),
        probe_hits,
        knn_hits,
        majority_hits,
        probabilities,
        tuple(strengths),
    )


def _choose_strength(
    scaled: np.ndarray, targets: np.ndarray, groups: np.ndarray, seed: int
) -> float:
    """The inverse L2 strength with the lowest log loss on a held-out part.

    Log loss and not accuracy, which on a hundred images steps by a point and mostly ties.
    """
    try:
        inner = assign_folds(targets, groups, FOLDS, seed) == 0
    except DataError:  # one class or one group is left: nothing to choose by
        return L2_PATH[1]
    # Classes that the inner training part lacks cannot be scored.
    scored = inner & np.isin(targets, targets[~inner])
    if len(np.unique(targets[~inner])) < 2 or not scored.any():
        return L2_PATH[1]
    best, chosen = np.inf, L2_PATH[0]
    path = _probe_path(scaled[~inner], targets[~inner], L2_PATH[-1])
    for strength, model in zip(L2_PATH, path, strict=True):
        predicted = model.predict_proba(scaled[scored])
        loss = sklearn.metrics.log_loss(targets[scored], predicted, labels=model.classes_)
        if loss >= best:  # it only rises from here, and the weak end is what takes time
            break
        best, chosen = loss, strength
    return chosen


def _probe_path(
    scaled: np.ndarray, targets: np.ndarray, last: float
) -> Iterator[sklearn.linear_model.LogisticRegression | sklearn.dummy.DummyClassifier]:
    """The probe at each L2 strength up to `last`, each solved from the one before.

    It is one model that changes: use it before asking for the next.
    """
    if len(np.unique(targets)) < 2:
        yield sklearn.dummy.DummyClassifier().fit(scaled, targets)
        return
    model = sklearn.linear_model.LogisticRegression(max_iter=300, tol=1e-3, warm_start=True)
    for strength in L2_PATH[: L2_PATH.index(last) + 1]:
        model.set_params(C=strength)
        with warnings.catch_warnings():
            # The weak end may stop short of its optimum; its loss is judged all the same.
            warnings.simplefilter('ignore', sklearn.exceptions.ConvergenceWarning)
            yield model.fit(scaled, targets)


def _predict_neighbours(seen: np.ndarray, targets: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The class that the nearest images by cosine vote for, nearer ones with more weight."""
    voters = min(NEIGHBOURS, len(seen))
    model = sklearn.neighbors.KNeighborsClassifier(voters, weights='distance', metric='cosine')
    # Features of random weights are tiny and nearly parallel; their angles need all the digits.
    return model.fit(seen.astype(np.float64), targets).predict(asked.astype(np.float64))
