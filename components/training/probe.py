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

import numpy as np
import sklearn.exceptions
import sklearn.linear_model
import sklearn.preprocessing
import threadpoolctl

from thawline.components.training import scores
from thawline.components.training.record import Scores

_SMALLEST_SCALE = 1e-3
L2_PATH = (0.001, 0.01, 0.1, 1.0)  # scikit-learn's C, from strong to weak regularisation


@dataclasses.dataclass(frozen=True)
class Probe:
    """A fitted head: logits = features @ kernel + bias.

    Attributes:
        kernel: float32 [D, C].
        bias: float32 [C].
        c: the chosen inverse L2 strength.
        train, val: its scores.
    """

    kernel: np.ndarray
    bias: np.ndarray
    c: float
    train: Scores
    val: Scores

    def logits(self, features: np.ndarray) -> np.ndarray:
        """float32 [N, D] -> float32 [N, C]."""
        return features @ self.kernel + self.bias


def fit(
    train: np.ndarray,
    train_labels: np.ndarray,
    val: np.ndarray,
    val_labels: np.ndarray,
    weights: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
) -> Probe:
    """Fits the path and keeps the head with the best val accuracy, then the best val log loss.

    Args:
        train, val: float32 [N, D] features.
        train_labels, val_labels: int [N] in [0, C); every class occurs in `train_labels`.
        weights: float [N], of the train images in the loss; None: all the same.
        confidence: float [N] in (0, 1], of the train labels; the rest is spread evenly over the
            other classes. None: all 1. Scores are against the labels all the same.
    """
    scaler = fit_scaler(train)
    scaled, targets = scaler.transform(train), train_labels
    if confidence is not None and (confidence < 1).any():
        rows, targets, weights = _hard_copies(train_labels, weights, confidence)
        scaled = scaled[rows]
    model = sklearn.linear_model.LogisticRegression(max_iter=300, tol=1e-3, warm_start=True)
    best: Probe | None = None
    for c in L2_PATH:
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
        kernel = (coefficients / scaler.scale_).T.astype(np.float32)
        bias = (intercept - (coefficients * (scaler.mean_ / scaler.scale_)).sum(1)).astype(
            np.float32
        )
        candidate = Probe(
            kernel,
            bias,
            c,
            scores.score(train @ kernel + bias, train_labels),
            scores.score(val @ kernel + bias, val_labels),
        )
        if best is None or candidate.val.better_than(best.val):
            best = candidate
    assert best is not None
    return best


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
