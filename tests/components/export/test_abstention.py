"""How sure a model must be before it answers: the bound holds for the best of ten coverages."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.components.export import abstention
from thawline.components.statistics import proportions


def test_threshold_is_the_largest_coverage_that_is_good_enough() -> None:
    scores = np.linspace(1.0, 0.5, 1000)
    right = np.ones(1000, bool)
    right[600:] = np.arange(400) % 2 == 0
    found = abstention.calibrate(scores, right, 0.95)
    assert found is not None
    assert found.coverage == 0.6 and found.threshold == scores[599] and found.reached == 1.0
    assert found.lower >= 0.95 and found.images == 1000
    assert abstention.calibrate(scores, right, 0.9999) is None
    assert abstention.calibrate(scores[:0], right[:0], 0.9) is None
    everything = abstention.calibrate(scores, np.ones(1000, bool), 0.9)
    assert everything is not None and everything.coverage == 1.0


def test_equal_scores_are_answered_together() -> None:
    right = np.ones(1000, bool)
    right[500:] = False
    assert abstention.calibrate(np.full(1000, 0.7), right, 0.9) is None


def test_accuracy_above_the_threshold_is_seldom_less_than_asked_for() -> None:
    """A plain search for the least score would be chosen for its luck; ten coverages are not."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(300):
        scores = rng.uniform(0.5, 1.0, 400)
        truth = 0.5 + 0.5 * (scores - 0.5) / 0.5  # accuracy of each score, linear
        found = abstention.calibrate(scores, rng.uniform(size=400) < truth, 0.85)
        if found is not None:
            kept = (1 + (0.5 + 0.5 * (found.threshold - 0.5) / 0.5)) / 2
            wrong += kept < 0.85
    assert wrong <= 0.025 * 300


def test_images_needed_is_enough() -> None:
    n = abstention.images_needed(0.95)
    assert abstention.calibrate(np.linspace(1, 0.5, n), np.ones(n, bool), 0.95) is not None
    assert abstention.calibrate(np.ones(n // 2), np.ones(n // 2, bool), 0.95) is None


def test_measured_elsewhere() -> None:
    scores, right = np.array([0.9, 0.8, 0.4]), np.array([True, False, False])
    found = abstention.accuracy_above(scores, right, 0.5)
    assert (found.n, found.share) == (2, 0.5)
    assert abstention.accuracy_above(scores, right, 0.95).share is None


def test_each_coverage_is_asked_with_a_tenth_of_the_error() -> None:
    right = np.ones(40, bool)
    scores = np.linspace(0.5, 1, 40)
    assert proportions.lower_bound(40, 40) > 0.9
    assert abstention.calibrate(scores, right, 0.9) is None
    threshold = abstention.calibrate(scores, right, 0.8)
    assert threshold is not None
    assert threshold.lower == proportions.lower_bound(40, 40, 1 - 0.05 / 10)
    assert (threshold.coverage, threshold.images) == (1.0, 40)


def test_answers_that_only_chance_makes_good_enough_are_rarely_taken() -> None:
    """Scores that say nothing: whatever part looks good was picked for its luck."""
    taken = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        taken += (
            abstention.calibrate(rng.uniform(size=200), rng.uniform(size=200) < 0.8, 0.8)
            is not None
        )
    assert taken / 400 <= 0.05


@pytest.mark.parametrize('accuracy', [0.9, 0.99])
def test_one_image_fewer_than_needed_is_not_enough(accuracy: float) -> None:
    needed = abstention.images_needed(accuracy)
    assert needed is not None
    for count, enough in ((needed, True), (needed - 1, False)):
        threshold = abstention.calibrate(np.ones(count), np.ones(count, bool), accuracy)
        assert (threshold is not None) is enough


def test_images_of_one_cluster_are_no_more_evidence_than_one() -> None:
    """Five copies of each image: the bound is that of the images, and by images it is too high."""
    rng = np.random.default_rng(3)
    scores = rng.uniform(0.5, 1, 200)
    right = rng.uniform(size=200) < np.minimum(scores + 0.2, 0.99)
    copies, answers = np.repeat(scores, 5), np.repeat(right, 5)
    single = abstention.calibrate(scores, right, 0.85)
    clustered = abstention.calibrate(copies, answers, 0.85, np.repeat(np.arange(200), 5))
    careless = abstention.calibrate(copies, answers, 0.85)
    assert single is not None and clustered is not None and careless is not None
    assert clustered.threshold == single.threshold and clustered.coverage == single.coverage
    assert clustered.lower == pytest.approx(single.lower, abs=0.003)  # which takes Wilson's, too
    assert careless.coverage > single.coverage
    alone = abstention.accuracy_above(scores, right, 0.7)
    together = abstention.accuracy_above(copies, answers, 0.7, np.repeat(np.arange(200), 5))
    by_images = abstention.accuracy_above(copies, answers, 0.7)
    assert together.share == alone.share == by_images.share
    assert together.upper - together.lower > 1.8 * (by_images.upper - by_images.lower)
