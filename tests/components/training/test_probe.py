"""The probe: scikit-learn's own answers, folded into one kernel and one bias."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import sklearn.datasets
import sklearn.exceptions
import sklearn.linear_model
import sklearn.metrics
import sklearn.preprocessing

from thawline.components.training import probe, scores, targets

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
    differences = logits[:, 1] - logits[:, 0] if classes == 2 else logits
    np.testing.assert_allclose(differences, decision, atol=1e-3)


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


@pytest.mark.parametrize('classes', [2, 3])
def test_weight_counts_as_often_as_the_image_were_there(classes: int) -> None:
    train, train_labels, val, val_labels = features(classes, separation=0.7)
    times = np.where(train_labels == 0, 3, 1)
    # Scaled here already, because the scale is that of the images and not of their copies.
    centred = (train - train.mean(0)) / train.std(0)
    weighted = probe.fit(centred, train_labels, val, val_labels, times.astype(np.float64))
    model = sklearn.linear_model.LogisticRegression(C=weighted.c, max_iter=3000, tol=1e-8)
    model.fit(np.repeat(centred, times, axis=0), np.repeat(train_labels, times))
    probabilities = scipy.special.softmax(weighted.logits(centred), axis=1)
    np.testing.assert_allclose(probabilities, model.predict_proba(centred), atol=5e-3)


def test_equal_weights_change_nothing_and_rare_classes_gain_by_theirs() -> None:
    train, train_labels, val, val_labels = features(2, separation=0.5)
    rare = np.flatnonzero((train_labels == 0) | (np.arange(150) % 6 == 0))
    train, train_labels = train[rare], train_labels[rare]
    plain = probe.fit(train, train_labels, val, val_labels)
    same = probe.fit(train, train_labels, val, val_labels, np.ones(len(train)))
    np.testing.assert_array_equal(plain.kernel, same.kernel)
    np.testing.assert_array_equal(plain.bias, same.bias)
    each = targets.class_weights(train_labels, 2, 'balanced')
    balanced = probe.fit(train, train_labels, val, val_labels, each[train_labels])

    def recall(fitted: probe.Probe) -> float:
        return float(fitted.logits(val).argmax(axis=1)[val_labels == 1].mean())

    assert recall(balanced) > recall(plain) + 0.1


@pytest.mark.parametrize('classes', [2, 3, 5])
@pytest.mark.parametrize('weighted', [False, True])
def test_optimum_is_that_of_the_soft_cross_entropy(classes: int, weighted: bool) -> None:
    """Found by another solver, on the targets themselves instead of copies."""
    train, train_labels, val, val_labels = features(classes, separation=0.7)
    train = ((train - train.mean(0)) / train.std(0)).astype(np.float32)
    rng = np.random.default_rng(0)
    confidence = np.where(rng.random(150) < 0.5, rng.uniform(0.3, 1, 150), 1.0).astype(np.float32)
    weights = rng.uniform(0.5, 2, 150) if weighted else None
    fitted = probe.fit(train, train_labels, val, val_labels, weights, confidence)

    each = np.ones(150) if weights is None else weights
    soft = np.repeat((1 - confidence[:, None]) / (classes - 1), classes, axis=1)
    soft[np.arange(150), train_labels] = confidence

    def loss(flat: np.ndarray) -> float:
        kernel, bias = np.split(flat.reshape(13, classes), [12])
        log_p = scipy.special.log_softmax(train @ kernel + bias, axis=1)
        # Two classes: scikit-learn bounds the difference of the logits.
        bounded = (kernel[:, 1] - kernel[:, 0]) if classes == 2 else kernel
        return float(-(each[:, None] * soft * log_p).sum() + (bounded**2).sum() / 2 / fitted.c)

    best = scipy.optimize.minimize(loss, np.zeros(13 * classes), method='L-BFGS-B', tol=1e-10)
    reached = loss(np.concatenate([fitted.kernel, fitted.bias[None]]).reshape(-1))
    assert reached == pytest.approx(best.fun, rel=1e-4)
    hard = probe.fit(train, train_labels, val, val_labels, weights)
    assert loss(np.concatenate([hard.kernel, hard.bias[None]]).reshape(-1)) > best.fun * 1.001
    assert fitted.train == scores.score(fitted.logits(train), train_labels)


def test_certain_labels_change_nothing() -> None:
    train, train_labels, val, val_labels = features(3, separation=0.5)
    plain = probe.fit(train, train_labels, val, val_labels)
    same = probe.fit(train, train_labels, val, val_labels, confidence=np.ones(150, np.float32))
    np.testing.assert_array_equal(plain.kernel, same.kernel)
    np.testing.assert_array_equal(plain.bias, same.bias)


def test_scores_of_train_are_not_weighted() -> None:
    train, train_labels, val, val_labels = features(2, separation=0.5)
    weights = np.where(train_labels == 0, 5.0, 1.0)
    fitted = probe.fit(train, train_labels, val, val_labels, weights)
    assert fitted.train == scores.score(fitted.logits(train), train_labels)
    assert fitted.val == scores.score(fitted.logits(val), val_labels)


def test_feature_that_varies_in_val_alone_does_not_decide() -> None:
    train, train_labels, val, val_labels = features(3, separation=20.0)
    rng = np.random.default_rng(0)
    train[:, 0] = 3.0 + 1e-5 * rng.normal(size=len(train))
    val[:, 0] = 3.0 + 0.1 * np.median(np.std(train[:, 1:], axis=0)) * rng.normal(size=len(val))
    assert probe.fit(train, train_labels, val, val_labels).val.accuracy == 1.0
