"""First phase: a linear head on pooled features of the frozen base.

The problem is convex, so it is solved, not trained: multinomial logistic regression by L-BFGS
(scikit-learn) over a path of L2 strengths, of which `val` chooses one. Features of the plain
images and of a few augmented views are computed once, so it takes seconds, not minutes of epochs.

Starting the second phase from this head instead of a random one keeps the pretrained features from
being distorted by the first gradients (Kumar et al., "Fine-Tuning can Distort Pretrained Features
and Underperform Out-of-Distribution", ICLR 2022).
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import sklearn.exceptions
import sklearn.linear_model
import sklearn.preprocessing
import threadpoolctl

from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import params, scores, targets
from thawline.components.training.record import Scores

_SMALLEST_SCALE = 1e-3
L2_PATH = (0.001, 0.01, 0.1, 1.0)  # scikit-learn's C, from strong to weak regularisation
NEVER = -50.0  # logit of a class that the head has no image of


@dataclasses.dataclass(frozen=True)
class Head:
    """A fitted head: logits = features @ kernel + bias.

    Attributes:
        kernel: float32 [D, C].
        bias: float32 [C].
        c: its inverse L2 strength.
    """

    kernel: np.ndarray
    bias: np.ndarray
    c: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """float32 [N, D] -> float32 [N, C]."""
        return features @ self.kernel + self.bias


@dataclasses.dataclass(frozen=True)
class Probe(Head):
    """The head that val chose.

    Attributes:
        train, val: its scores.
        val_path: logits of val by the head of each strength, in the order of `L2_PATH`; float32
            [S, N, C].
    """

    train: Scores
    val: Scores
    val_path: np.ndarray = dataclasses.field(compare=False)


def fit(
    train: np.ndarray,
    train_labels: np.ndarray,
    val: np.ndarray,
    val_labels: np.ndarray,
    weights: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    classes: int | None = None,
) -> Probe:
    """Fits the path and keeps the head with the best val accuracy, then the best val log loss.

    Args:
        train, train_labels, weights, confidence: as `path` takes them.
        val: float32 [N, D] features.
        val_labels: int [N] in [0, C).
        classes: C; None: those of the train images.
    """
    classes = classes or int(train_labels.max()) + 1
    heads = path(train, train_labels, classes, weights, confidence)
    return choose_head(list(heads), (train, train_labels), (val, val_labels))


def fit_sets(
    train: LabelledSet, val: LabelledSet, classes: int, settings: params.Training
) -> Probe:
    """As `fit`, of sets of features, all views of the train images."""
    heads = list(path_of(train, classes, settings))
    views = train.values.shape[1]
    values = train.values.reshape(len(train) * views, -1)
    seen = values, np.repeat(train.labels, views)
    return choose_head(heads, seen, (val.values[:, 0], val.labels))


def choose_head(
    heads: Sequence[Head],
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
) -> Probe:
    """The one that is best on val; both sets are features float32 [N, D] and labels int [N]."""
    val_path = np.stack([head.logits(val[0]) for head in heads])
    best = choose_strength(val_path, val[1])
    head = heads[best]
    return Probe(
        head.kernel,
        head.bias,
        head.c,
        scores.score(head.logits(train[0]), train[1]),
        scores.score(val_path[best], val[1]),
        val_path,
    )


def choose_strength(logits: np.ndarray, labels: np.ndarray) -> int:
    """Which of several heads has the best accuracy, then the best log loss; of equals the first.

    Args:
        logits: float32 [S, N, C].
        labels: int [N] in [0, C).
    """
    best, chosen = scores.score(logits[0], labels), 0
    for place in range(1, len(logits)):
        scored = scores.score(logits[place], labels)
        if scored.better_than(best):
            best, chosen = scored, place
    return chosen


def path(
    train: np.ndarray,
    labels: np.ndarray,
    classes: int,
    weights: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    strengths: Sequence[float] = L2_PATH,
) -> Iterator[Head]:
    """Heads of rising strengths, each solved from the one before.

    A class without an image here is not answered: its logits are `NEVER`.

    Args:
        train: float32 [N, D] features.
        labels: int [N] in [0, classes).
        classes: C.
        weights: float [N], of the images in the loss; None: all the same.
        confidence: float [N] in (0, 1], of the labels; the rest is spread evenly over the other
            classes. None: all 1. Scores are against the labels all the same.
        strengths: to solve for.
    """
    present, known = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        kernel = np.zeros((train.shape[1], classes), np.float32)
        bias = np.where(np.isin(np.arange(classes), present), 0.0, NEVER).astype(np.float32)
        yield from (Head(kernel, bias, c) for c in strengths)
        return
    scaler = fit_scaler(train)
    scaled, targets = scaler.transform(train), known
    if confidence is not None and (confidence < 1).any():
        rows, targets, weights = _hard_copies(known, weights, confidence)
        scaled = scaled[rows]
    model = sklearn.linear_model.LogisticRegression(max_iter=300, tol=1e-3, warm_start=True)
    for c in strengths:
        model.set_params(C=c)
        with warnings.catch_warnings():
            # The weak end of the path may stop short of its optimum; `val` decides all the same.
            warnings.simplefilter('ignore', sklearn.exceptions.ConvergenceWarning)
            # On a busy machine the threads of BLAS wait for each other: one thread is up to 100
            # times faster then, and about as fast on an idle machine.
            with threadpoolctl.threadpool_limits(1, user_api='blas'):
                model.fit(scaled, targets, sample_weight=weights)
        coefficients, intercept = model.coef_, model.intercept_
        if len(coefficients) == 1:  # two classes: scikit-learn keeps the difference of the logits
            coefficients = np.concatenate([-coefficients, coefficients]) / 2
            intercept = np.concatenate([-intercept, intercept]) / 2
        # The scaling of the features is folded into the head, so that serving needs no scaler.
        kernel = np.zeros((train.shape[1], classes), np.float32)
        bias = np.full(classes, NEVER, np.float32)
        kernel[:, present] = (coefficients / scaler.scale_).T
        bias[present] = intercept - (coefficients * (scaler.mean_ / scaler.scale_)).sum(1)
        yield Head(kernel, bias, c)


def path_of(
    features: LabelledSet,
    classes: int,
    settings: params.Training,
    strengths: Sequence[float] = L2_PATH,
) -> Iterator[Head]:
    """The path of a set of features, all views of its images; see `path`."""
    views = features.values.shape[1]
    labels = np.repeat(features.labels, views)
    weights = None
    if settings.class_weights != 'none':
        weights = targets.class_weights(features.labels, classes, settings.class_weights)[labels]
    confidence = np.repeat(features.confidence, views) if settings.soft_labels else None
    values = features.values.reshape(len(labels), -1)
    return path(values, labels, classes, weights, confidence, strengths)


def fit_scaler(features: np.ndarray) -> sklearn.preprocessing.StandardScaler:
    """Means and standard deviations of float32 [N, D].

    A feature that hardly varies here would dominate any other image in which it does, if it were
    divided by its standard deviation: a thousandth of the median is the least.
    """
    scaler = sklearn.preprocessing.StandardScaler().fit(features)
    scaler.scale_ = np.maximum(scaler.scale_, _SMALLEST_SCALE * np.median(scaler.scale_))
    return scaler


def _hard_copies(
    labels: np.ndarray, weights: np.ndarray | None, confidence: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Soft targets for a solver that takes only hard ones.

    The cross-entropy is linear in the target, so an image with target t costs the same as C copies
    of it, copy c with label c and weight t[c]. Where the confidence is 1, one is enough.

    Args:
        labels: int [N] in [0, C); every class occurs.
        weights: float [N], or None: all 1.
        confidence: float [N].

    Returns:
        For each copy its row among the images, its label and its weight.
    """
    others = int(labels.max())
    soft = np.flatnonzero(confidence < 1)
    whole = np.ones(len(labels)) if weights is None else weights
    rest = whole[soft] * (1.0 - confidence[soft]) / others
    other_labels = (labels[soft, None] + np.arange(1, others + 1)) % (others + 1)  # [n, C - 1]
    return (
        np.concatenate([np.arange(len(labels)), np.repeat(soft, others)]),
        np.concatenate([labels, other_labels.reshape(-1)]),
        np.concatenate([whole * confidence, np.repeat(rest, others)]),
    )
