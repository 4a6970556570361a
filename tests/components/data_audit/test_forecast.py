"""Learning curves: measured on folds, fitted, extrapolated."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.components.data_audit import forecast
from thawline.components.data_audit.forecast import LearningCurve


def curve(floor: float, slope: float, exponent: float, n: int = 4000) -> LearningCurve:
    """One with the errors of a known law, each spread over single images."""
    sizes = np.array([50.0, 100.0, 200.0, 400.0, 800.0])
    rng = np.random.default_rng(0)
    draws = rng.uniform(size=n)  # the same images are hard at every size
    errors = np.stack([draws < floor + slope * size**-exponent for size in sizes]).astype(float)
    return LearningCurve(sizes, errors, np.arange(n))


@pytest.mark.parametrize('law', [(0.05, 2.0, 0.5), (0.02, 1.0, 0.4), (0.1, 3.0, 0.7)])
def test_a_known_law_lies_in_the_interval(law) -> None:
    floor, slope, exponent = law
    truth = floor + slope * 2400**-exponent
    lower, upper = np.quantile(forecast.extrapolate(curve(*law), np.array([2400])), [0.05, 0.95])
    assert lower <= truth <= upper and upper - lower < 0.06


def test_the_further_away_the_less_is_known() -> None:
    draws = forecast.extrapolate(curve(0.05, 2.0, 0.5), np.array([800, 3200, 100_000]))
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    widths = high - low
    assert widths[0] < widths[1] < widths[2]
    assert np.median(draws[:, 0]) > np.median(draws[:, 1]) > np.median(draws[:, 2])


def test_errors_that_do_not_fall_stay_where_they_are() -> None:
    flat = LearningCurve(
        np.array([50.0, 100.0, 200.0]), np.tile([0.0, 0.0, 1.0, 0.0], (3, 50)), np.arange(200)
    )
    told = forecast.forecast(flat, 200, 200)
    assert told.now == pytest.approx(0.75, abs=0.03) and abs(told.accuracy - told.now) < 0.01
    assert told.gain_lower >= -1e-9


def test_images_of_one_cluster_count_as_one() -> None:
    alone = curve(0.05, 2.0, 0.5, n=400)
    tied = LearningCurve(
        alone.sizes, np.repeat(alone.errors[:, :40], 10, axis=1), np.repeat(np.arange(40), 10)
    )

    def width(of: LearningCurve) -> float:
        low, high = np.quantile(forecast.extrapolate(of, np.array([1600])), [0.05, 0.95])
        return float(high - low)

    assert width(tied) > 2 * width(alone)


def noisy(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return (np.eye(3, 20)[labels] + rng.normal(0, 0.6, (n, 20))).astype(np.float32), labels


def test_more_images_help_where_probes_still_learn() -> None:
    features, labels = noisy(300)
    measured = forecast.measure(features, labels, np.arange(300), 0.1)
    assert measured is not None and measured.errors.shape == (len(forecast.SHARES), 300)
    assert measured.sizes[0] == pytest.approx(30, abs=2) and measured.sizes[-1] == 240
    means = measured.errors.mean(axis=1)
    assert means[0] > means[-1] + 0.03
    told = forecast.forecast(measured, 300, 300, '')
    assert told.now < told.accuracy and told.lower < told.accuracy < told.upper


def test_only_one_class_is_thinned() -> None:
    features, labels = noisy(240)
    measured = forecast.measure(features, labels, np.arange(240), 0.1, repeats=1, only=1)
    assert measured is not None
    np.testing.assert_allclose(measured.sizes, [16, 32, 64], atol=0.5)
    recall = 1 - measured.errors[:, labels == 1].mean(axis=1)
    assert recall[0] < recall[-1]


def test_too_few_images_have_no_curve() -> None:
    features, labels = noisy(39)
    assert forecast.measure(features, labels, np.arange(39), 0.1) is None


def test_groups_are_whole() -> None:
    """Copies in one cluster do not teach the probe what it is asked."""
    rng = np.random.default_rng(0)
    features = 20 * np.repeat(rng.normal(size=(20, 30)), 10, axis=0).astype(np.float32)
    labels = np.repeat(np.arange(20) % 2, 10)
    tied = forecast.measure(features, labels, np.repeat(np.arange(20), 10), 1.0)
    torn = forecast.measure(features, labels, np.arange(200), 1.0)
    assert tied is not None and torn is not None
    assert torn.errors[-1].mean() < 0.15 and tied.errors[-1].mean() > 0.3
