"""Cross-validated accuracy of a linear probe and of nearest neighbours on features.

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
    """How well the features classify; the answers of probe and neighbours are out of fold.

    Attributes:
        probe, knn, majority: accuracy of logistic regression, of nearest neighbours, and of always
            predicting the most frequent class of all images.
        probe_hits, knn_hits, majority_hits: bool [N], in the order of the images.
        probabilities: float32 [N, C] of the probe, columns in the order of the sorted labels; 0 for
            a class that the other folds lack.
        strengths: the inverse L2 strength that the inner split of each fold chose.
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
    """The test fold of each image: int [N]; stratified as far as whole groups allow.

    There are fewer folds than requested where there are fewer groups, or no class has as many
    images.

    Raises:
        DataError: there are fewer than two classes or groups.
    """
    _, counts = np.unique(labels, return_counts=True)
    available = len(np.unique(groups))
    if len(counts) < 2:
        raise DataError(
            f'a comparison needs at least two classes; the {len(labels)} labelled images have '
            f'{len(counts)}'
        )
    if available < 2:
        raise DataError(
            f'cross-validation needs at least two groups (see data.group_pattern); all '
            f'{len(labels)} images are of one group'
        )
    number = max(2, min(folds, available, int(counts.max())))
    fold = np.zeros(len(labels), np.int64)
    splitter = sklearn.model_selection.StratifiedGroupKFold(number, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer images than folds is absent from some folds; its images still count.
        warnings.filterwarnings('ignore', message='The least populated class')
        if counts.max() < 2:  # one image a class: nothing to stratify
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
    """Accuracy of a probe and of nearest neighbours on held-out images.

    The probe is the same kind of head as in training: standardised features, multinomial logistic
    regression by L-BFGS. Its L2 strength is chosen on a held-out part of the other folds, and the
    probe is then fitted to all of them: the test fold decides nothing. A fixed strength would
    favour bases whose width happens to suit it.

    Args:
        features: float32 [N, D]; equal (labels, groups, folds, seed) always give equal folds.

    Raises:
        ValueError: the lengths differ, or a feature is not finite.
        DataError: see `assign_folds`.
    """
    if not len(features) == len(labels) == len(groups):
        raise ValueError(
            'each image needs one row of features, one label and one group. Received: '
            f'{len(features)}, {len(labels)} and {len(groups)}'
        )
    if not np.isfinite(features).all():
        raise ValueError('a feature is not finite')
    _, targets = np.unique(labels, return_inverse=True)
    fold = assign_folds(targets, groups, folds, seed)
    used = np.unique(fold)
    neighbours = np.empty_like(targets)
    probabilities, strengths = out_of_fold(features, targets, groups, fold, seed)
    with threadpoolctl.threadpool_limits(1, user_api='blas'):
        for index in used:
            held_out = fold == index
            train = ~held_out
            neighbours[held_out] = _predict_neighbours(
                features[train], targets[train], features[held_out]
            )
    probe_hits = probabilities.argmax(axis=1) == targets
    knn_hits = neighbours == targets
    # Of the folds that train it would be the class that the fold held out has least of.
    majority_hits = targets == np.bincount(targets).argmax()
    return ProbeScores(
        clustered.estimate(probe_hits, groups),
        clustered.estimate(knn_hits, groups),
        clustered.estimate(majority_hits, groups),
        probe_hits,
        knn_hits,
        majority_hits,
        probabilities,
        strengths,
    )


def out_of_fold(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    fold: np.ndarray,
    seed: int = 0,
    scaled: bool = False,
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Probabilities of each image by a probe that saw no image of its fold.

    Args:
        features: float32 [N, D].
        targets: int [N], positions of the classes.
        groups: [N]; of the inner split that chooses each probe's L2 strength.
        fold: int [N].
        seed: of the inner split.
        scaled: whether the features are of one scale already, as principal components are.

    Returns:
        Probabilities float32 [N, C], 0 for a class that the other folds lack; and the inverse L2
        strength of each fold.
    """
    used = np.unique(fold)
    probabilities = np.zeros((len(targets), int(targets.max()) + 1), np.float32)
    strengths = []
    progress.start('folds', len(used))
    # Matrices this small are faster on one core; on two, with another program on one of them, the
    # threads of BLAS spend their time waiting for each other (measured: 30 times slower).
    with threadpoolctl.threadpool_limits(1, user_api='blas'):
        for index in used:
            held_out = fold == index
            train, values = ~held_out, features
            if not scaled:
                values = sklearn.preprocessing.StandardScaler().fit(features[train])
                values = values.transform(features)
            strength = _choose_strength(values[train], targets[train], groups[train], seed)
            *_, model = probe_path(values[train], targets[train], strength)
            rows = np.flatnonzero(held_out)
            probabilities[np.ix_(rows, model.classes_)] = model.predict_proba(values[held_out])
            strengths.append(strength)
            progress.advance()
    return probabilities, tuple(strengths)


def _choose_strength(
    scaled: np.ndarray, targets: np.ndarray, groups: np.ndarray, seed: int
) -> float:
    """The inverse L2 strength with the lowest log loss on a held-out part.

    Log loss and not accuracy, which on a hundred images steps by a point and mostly ties.
    """
    try:
        inner = assign_folds(targets, groups, FOLDS, seed) == 0
    except DataError:  # one class or one group is left: there is no choice
        return L2_PATH[1]
    # Classes absent from the inner training part cannot be scored.
    scored = inner & np.isin(targets, targets[~inner])
    if len(np.unique(targets[~inner])) < 2 or not scored.any():
        return L2_PATH[1]
    best, chosen = np.inf, L2_PATH[0]
    path = probe_path(scaled[~inner], targets[~inner], L2_PATH[-1])
    for strength, model in zip(L2_PATH, path, strict=True):
        predicted = model.predict_proba(scaled[scored])
        loss = sklearn.metrics.log_loss(targets[scored], predicted, labels=model.classes_)
        if loss >= best:  # it only rises from here, and weak regularisation is slow to fit
            break
        best, chosen = loss, strength
    return chosen


def probe_path(
    scaled: np.ndarray, targets: np.ndarray, last: float
) -> Iterator[sklearn.linear_model.LogisticRegression | sklearn.dummy.DummyClassifier]:
    """Yields the probe at each L2 strength up to `last`, each solved from the one before.

    It is one model that changes: use it before taking the next.
    """
    if len(np.unique(targets)) < 2:
        yield sklearn.dummy.DummyClassifier().fit(scaled, targets)
        return
    model = sklearn.linear_model.LogisticRegression(max_iter=300, tol=1e-3, warm_start=True)
    for strength in L2_PATH[: L2_PATH.index(last) + 1]:
        model.set_params(C=strength)
        with warnings.catch_warnings():
            # With weak regularisation it may stop short of the optimum; its loss still counts.
            warnings.simplefilter('ignore', sklearn.exceptions.ConvergenceWarning)
            yield model.fit(scaled, targets)


def _predict_neighbours(train: np.ndarray, targets: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The class by vote of the nearest images by cosine, weighted by distance."""
    voters = min(NEIGHBOURS, len(train))
    model = sklearn.neighbors.KNeighborsClassifier(voters, weights='distance', metric='cosine')
    # Features of random weights are tiny and nearly parallel; their angles need all digits.
    return model.fit(train.astype(np.float64), targets).predict(test.astype(np.float64))
