"""The choice between weights: what counts, and that chance does not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.training import model_selection
from thawline.components.training.record import CalibratedScores

N = 400


def candidate(accuracy: float, loss: float, n: int = N) -> CalibratedScores:
    # The log loss before calibration says the opposite, so that a choice by it would fail.
    return CalibratedScores(accuracy, 10 - loss, n, loss)


def test_lower_calibrated_loss_wins_between_accuracies_that_differ_by_chance() -> None:
    assert model_selection.choose({0.0: candidate(0.88, 0.35), 1.0: candidate(0.87, 0.30)}) == 1.0


def test_lower_loss_does_not_excuse_lower_accuracy() -> None:
    assert model_selection.choose({0.0: candidate(0.88, 0.35), 1.0: candidate(0.85, 0.30)}) == 0.0


def test_what_others_reached_counts_as_well() -> None:
    """Step by step, each within chance of the one before, accuracy must not be lost."""
    two = {4: candidate(0.87, 0.35), 5: candidate(0.86, 0.30)}
    assert (model_selection.choose(two), model_selection.choose(two, best_accuracy=0.885)) == (5, 4)


def test_of_equals_the_nearest_to_the_frozen_base() -> None:
    same = {share: candidate(0.9, 0.3) for share in (1.0, 0.5, 0.0)}
    assert model_selection.choose(same) == 0.0


@pytest.mark.parametrize(('n', 'kept'), [(20, 1.0), (2000, 0.0)])
def test_more_images_tell_more(n: int, kept: float) -> None:
    two = {0.0: candidate(0.90, 0.35, n), 1.0: candidate(0.87, 0.30, n)}
    assert model_selection.choose(two) == kept


@given(
    st.dictionaries(
        st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
        st.tuples(st.floats(0, 1), st.floats(0, 5)),
        min_size=1,
    )
)
def test_the_choice_is_never_clearly_worse_than_another(found: dict) -> None:
    candidates = {share: candidate(*values) for share, values in found.items()}
    kept = candidates[model_selection.choose(candidates)]
    top = max(one.accuracy for one in candidates.values())
    assert kept.accuracy >= top - math.sqrt(top * (1 - top) / N)
    for one in candidates.values():
        # Whatever has both the better accuracy and the better loss would have been taken.
        assert not (
            one.accuracy > kept.accuracy and one.calibrated_log_loss < kept.calibrated_log_loss
        )


def test_scale_of_the_logits_does_not_count() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=200)
    logits = rng.normal(size=(200, 3)) + 2 * np.eye(3)[labels]
    once, thrice = (
        model_selection.ValPredictions.score(scale * logits, labels).calibrated_scores(labels)
        for scale in (1, 3)
    )
    assert once.log_loss != pytest.approx(thrice.log_loss, rel=0.05)
    assert once.calibrated_log_loss == pytest.approx(thrice.calibrated_log_loss, rel=1e-3)
