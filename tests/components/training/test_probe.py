"""The probe: scikit-learn's own answers, folded into one kernel and one bias."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.special
import sklearn.datasets
import sklearn.exceptions
import sklearn.linear_model
import sklearn.metrics
import sklearn.preprocessing
import tensorflow as tf

from components import progress
from components.training import probe
from components.training.augmentation import POLICIES
from components.training.dataset import ImageSet

Fitted = tuple[sklearn.preprocessing.StandardScaler, sklearn.linear_model.LogisticRegression]
Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def features(classes: int, separation: float, seed: int = 0) -> Data:
    """train, train_labels, val, val_labels; scales of the features differ a thousandfold."""
    x, y = sklearn.datasets.make_classification(
        300,
        12,
        n_informative=6,
        n_redundant=2,
        n_classes=classes,
        n_clusters_per_class=1,
        class_sep=separation,
        flip_y=0.1 if separation < 5 else 0.0,
        random_state=seed,
    )
    x = (x * np.geomspace(0.01, 10, 12) + np.linspace(-5, 5, 12)).astype(np.float32)
    return x[:150], y[:150].astype(np.int64), x[150:], y[150:].astype(np.int64)


def scikit_path(train: np.ndarray, labels: np.ndarray) -> dict[float, Fitted]:
    """Each model of the path, fitted by scikit-learn from the one before, as the probe does."""
    scaler = sklearn.preprocessing.StandardScaler().fit(train)
    path: dict[float, Fitted] = {}
    previous = None
    for c in probe.L2_PATH:
        model = sklearn.linear_model.LogisticRegression(
            C=c, max_iter=300, tol=1e-3, warm_start=True
        )
        if previous is not None:
            model.classes_ = previous.classes_
            model.coef_, model.intercept_ = previous.coef_.copy(), previous.intercept_.copy()
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', sklearn.exceptions.ConvergenceWarning)
            model.fit(scaler.transform(train), labels)
        path[c] = (scaler, model)
        previous = model
    return path


@pytest.mark.parametrize('classes', [2, 3, 5])
def test_separable_features_are_learnt_without_error(classes: int) -> None:
    train, train_labels, val, val_labels = features(classes, separation=20.0)
    fitted = probe.fit(train, train_labels, val, val_labels)
    assert fitted.train.accuracy == 1.0
    assert fitted.val.accuracy == 1.0
    assert fitted.kernel.shape == (12, classes) and fitted.kernel.dtype == np.float32
    assert fitted.bias.shape == (classes,) and fitted.bias.dtype == np.float32


@pytest.mark.parametrize('classes', [2, 3])
def test_logits_are_scikit_learns_with_the_scaling_folded_in(classes: int) -> None:
    train, train_labels, val, val_labels = features(classes, separation=0.7)
    fitted = probe.fit(train, train_labels, val, val_labels)
    scaler, model = scikit_path(train, train_labels)[fitted.c]
    scaled = scaler.transform(val)
    logits = fitted.logits(val)
    assert logits.shape == (len(val), classes)
    probabilities = scipy.special.softmax(logits, axis=1)
    np.testing.assert_allclose(probabilities, model.predict_proba(scaled), atol=1e-4)
    decision = model.decision_function(scaled)
    # Two classes: scikit-learn knows the difference of the two logits only.
    found = logits[:, 1] - logits[:, 0] if classes == 2 else logits
    np.testing.assert_allclose(found, decision, atol=1e-3)


def test_val_chooses_the_regularisation() -> None:
    chosen = set()
    for seed in range(6):
        train, train_labels, val, val_labels = features(3, separation=0.5, seed=seed)
        fitted = probe.fit(train, train_labels, val, val_labels)
        expected = {}
        for c, (scaler, model) in scikit_path(train, train_labels).items():
            probabilities = model.predict_proba(scaler.transform(val))
            accuracy = sklearn.metrics.accuracy_score(val_labels, probabilities.argmax(1))
            loss = sklearn.metrics.log_loss(val_labels, probabilities, labels=range(3))
            expected[c] = (accuracy, -loss)
        assert fitted.c == max(expected, key=lambda c: expected[c])
        accuracy, negative_loss = expected[fitted.c]
        assert fitted.val.accuracy == accuracy
        assert fitted.val.log_loss == pytest.approx(-negative_loss, abs=1e-4)
        assert (fitted.train.n, fitted.val.n) == (150, 150)
        chosen.add(fitted.c)
    assert len(chosen) > 1  # else the test would not tell a choice from a constant


def test_class_absent_from_val_and_constant_feature() -> None:
    train, train_labels, val, val_labels = features(3, separation=20.0)
    train[:, 0] = val[:, 0] = 3.0
    seen = val_labels != 2
    fitted = probe.fit(train, train_labels, val[seen], val_labels[seen])
    assert fitted.bias.shape == (3,)
    assert fitted.val.accuracy == 1.0
    assert np.isfinite(fitted.kernel).all()


def test_pooled_features_are_in_order_and_views_differ() -> None:
    rng = np.random.default_rng(0)
    n = 150  # more than two batches
    pixels = rng.integers(0, 256, (n, 8, 8, 3)).astype(np.uint8)
    data = ImageSet(pixels, np.arange(n), np.arange(n).astype(object))
    mean = tf.function(
        lambda images: tf.reduce_mean(images, axis=[1, 2]),
        input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)],
    )
    seen: list[progress.Progress] = []
    with progress.listening(seen.append):
        plain = probe.pooled_features(mean, data, POLICIES['none'], 0, 0)
    np.testing.assert_allclose(plain, pixels.mean((1, 2)), rtol=1e-5)
    assert seen[-1].done == n
    views = [probe.pooled_features(mean, data, POLICIES['standard'], 0, view) for view in (1, 2)]
    assert (views[0] != views[1]).any(axis=1).all()
    again = probe.pooled_features(mean, data, POLICIES['standard'], 0, 1)
    np.testing.assert_array_equal(views[0], again)
