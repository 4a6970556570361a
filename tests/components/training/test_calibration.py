"""The temperature against brute force, and where there is nothing to fit it on."""

from __future__ import annotations

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.special

from thawline.components.training import calibration, scores


def drawn(n: int, classes: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose labels were drawn from softmax(logits / temperature)."""
    rng = np.random.default_rng([seed, n, classes])
    logits = rng.normal(0, 3, (n, classes)).astype(np.float32)
    chances = scipy.special.softmax(logits.astype(float) / temperature, axis=1)
    labels = (rng.random((n, 1)) > chances.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return logits, labels


def smoothed_loss(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """What `fit_temperature` says that it minimises."""
    log_chances = scipy.special.log_softmax(logits.astype(float) / temperature, axis=1)
    of_labels = -log_chances[np.arange(len(labels)), labels].sum()
    return float(of_labels - log_chances.mean())


@st.composite
def answered(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n, classes = draw(st.integers(1, 25)), draw(st.integers(2, 5))
    elements = st.floats(-8, 8, width=32).map(lambda x: round(x, 2))
    logits = draw(hnp.arrays(np.float32, (n, classes), elements=elements))
    return logits, draw(hnp.arrays(np.int64, n, elements=st.integers(0, classes - 1)))


@pytest.mark.parametrize('classes', [2, 5])
@pytest.mark.parametrize('temperature', [0.5, 1.0, 3.0])
def test_finds_the_temperature_that_labels_were_drawn_with(
    classes: int, temperature: float
) -> None:
    logits, labels = drawn(20_000, classes, temperature)
    assert calibration.fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


@hypothesis.given(answered())
def test_no_other_temperature_has_a_lower_loss(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = case
    temperature = calibration.fit_temperature(logits, labels)
    assert calibration.MIN_TEMPERATURE <= temperature <= calibration.MAX_TEMPERATURE
    reached = smoothed_loss(logits, labels, temperature)
    for other in np.geomspace(calibration.MIN_TEMPERATURE, calibration.MAX_TEMPERATURE, 60):
        assert reached <= smoothed_loss(logits, labels, other) + 1e-6 * max(1, abs(reached))


@hypothesis.given(answered(), st.floats(0.5, 2.0), st.floats(-50, 50))
def test_follows_the_scale_and_nothing_else(
    case: tuple[np.ndarray, np.ndarray], scale: float, shift: float
) -> None:
    logits, labels = case[0].astype(float), case[1]
    temperature = calibration.fit_temperature(logits, labels)
    rows = np.random.default_rng(0).permutation(len(labels))
    assert calibration.fit_temperature(logits[rows] + shift, labels[rows]) == pytest.approx(
        temperature, rel=1e-4
    )
    columns = np.random.default_rng(1).permutation(logits.shape[1])
    renamed = np.argsort(columns)[labels]
    assert calibration.fit_temperature(logits[:, columns], renamed) == pytest.approx(
        temperature, rel=1e-4
    )
    scaled = calibration.fit_temperature(logits * scale, labels)
    if np.ptp(logits, axis=1).any() and {temperature, scaled}.isdisjoint(
        {calibration.MIN_TEMPERATURE, calibration.MAX_TEMPERATURE}
    ):
        assert scaled == pytest.approx(temperature * scale, rel=1e-4)


@hypothesis.given(answered())
def test_answers_and_accuracy_stay(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = case
    calibrated = calibration.calibrate(logits, labels)
    chosen = (logits / calibrated.temperature).argmax(axis=1)
    np.testing.assert_array_equal(chosen, logits.argmax(axis=1))
    for error in (calibrated.error_before, calibrated.error_after):
        assert 0 <= error <= 1


def test_perfect_separation_claims_no_more_than_its_number_of_images() -> None:
    """All right, so the plain loss would go on falling towards T = 0."""
    rates = []
    for n in (1, 10, 100):
        logits = np.tile(np.array([[2.0, -2.0]], np.float32), (n, 1))
        temperature = calibration.fit_temperature(logits, np.zeros(n, np.int64))
        sure = scipy.special.softmax(logits[0] / temperature)[0]
        # Laplace: n of n right says (n + 1) / (n + 2); the added image is half of each class here.
        assert sure == pytest.approx((n + 0.5) / (n + 1))
        rates.append(temperature)
    assert rates[0] > rates[1] > rates[2] > calibration.MIN_TEMPERATURE


def test_bounds() -> None:
    logits = np.array([[1e-3, 0.0]] * 1000, np.float32)
    assert calibration.fit_temperature(logits, np.zeros(1000, int)) == calibration.MIN_TEMPERATURE
    assert calibration.fit_temperature(-logits, np.zeros(1000, int)) == calibration.MAX_TEMPERATURE
    huge = np.array([[1e30, -1e30], [-1e30, 1e30]], np.float32)
    assert calibration.fit_temperature(huge, np.array([0, 0])) == calibration.MAX_TEMPERATURE


def test_one_image_and_a_class_that_no_image_has() -> None:
    logits = np.array([[1.0, 0.0, -1.0]], np.float32)
    right = calibration.fit_temperature(logits, np.array([0]))
    wrong = calibration.fit_temperature(logits, np.array([2]))
    assert calibration.MIN_TEMPERATURE < right < wrong == calibration.MAX_TEMPERATURE
    logits, labels = drawn(300, 4, 2.0)
    without = labels != 3
    temperature = calibration.fit_temperature(logits[without], labels[without])
    assert 1.0 < temperature < 4.0


def test_logits_that_say_nothing_leave_one() -> None:
    for classes in (2, 3):
        assert calibration.fit_temperature(np.full((4, classes), 7.0), np.zeros(4, int)) == 1.0


def test_nothing_and_divergence_are_refused() -> None:
    with pytest.raises(ValueError, match='no image'):
        calibration.fit_temperature(np.empty((0, 2)), np.empty(0, int))
    with pytest.raises(ValueError, match='no image'):
        calibration.expected_calibration_error(np.empty((0, 2)), np.empty(0, int))
    with pytest.raises(ValueError, match='diverged'):
        calibration.fit_temperature(np.array([[np.nan, 0.0]]), np.array([0]))


def test_error_of_known_cases() -> None:
    """Confidence 0.9 throughout; the share of right answers is set."""
    logits = np.log(np.tile([[0.9, 0.1]], (100, 1)))
    for right in (50, 90, 100):
        labels = (np.arange(100) >= right).astype(int)
        error = calibration.expected_calibration_error(logits, labels, bins=1)
        assert error == pytest.approx(abs(0.9 - right / 100))
        shuffled = np.random.default_rng(right).permutation(labels)
        assert calibration.expected_calibration_error(logits, shuffled) == pytest.approx(
            calibration.expected_calibration_error(logits, labels)
        )
    two = np.log([[0.6, 0.4], [0.8, 0.2]])
    assert calibration.expected_calibration_error(two, np.array([1, 0])) == pytest.approx(
        (0.6 + 0.2) / 2
    )


def test_calibrating_an_overconfident_model_lowers_both() -> None:
    logits, labels = drawn(2000, 3, 3.0)
    calibrated = calibration.calibrate(logits, labels)
    assert calibrated.log_loss_after < calibrated.log_loss_before - 0.1
    assert calibrated.error_after < 0.04 < calibrated.error_before
    held, held_labels = drawn(2000, 3, 3.0, seed=1)
    after = scores.score(held / calibrated.temperature, held_labels).log_loss
    assert after < scores.score(held, held_labels).log_loss - 0.1
