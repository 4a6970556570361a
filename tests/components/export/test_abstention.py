"""How sure a model must be before it answers: the bound holds for the best of ten coverages."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.components.export import abstention
from thawline.components.statistics import proportions


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
def test_images_needed_is_enough_and_one_fewer_is_not(accuracy: float) -> None:
    needed = abstention.images_needed(accuracy)
    assert needed is not None
    for count, enough in ((needed, True), (needed - 1, False)):
        found = abstention.calibrate(np.ones(count), np.ones(count, bool), accuracy)
        assert (found is not None) is enough
