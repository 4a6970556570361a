"""What counts as better: beyond noise, on the same images, and not by one measure alone."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
import scipy.stats
from hypothesis import strategies as st

from thawline.components.tuning import settings_choice
from thawline.components.tuning.settings_choice import ValMeasurement


def measured(n: int, seed: int, loss: float = 0.0, hits: float = 0.8) -> ValMeasurement:
    """Losses and hits of n images; the difficulty of each is common to all seeds."""
    difficulty = np.random.default_rng(n).uniform(size=n)
    noise = np.random.default_rng([n, seed]).normal(0, 0.02, n)
    return ValMeasurement(difficulty < hits, difficulty + loss + noise)


def test_measure_counts_hits_and_scales_confidence_away() -> None:
    labels = np.array([0, 1, 1, 0] * 10)
    logits = np.where(np.eye(2)[labels] > 0, 1.0, -1.0)
    logits[0] = logits[0][::-1]
    measurement = settings_choice.measure(logits, labels)
    assert measurement.accuracy == pytest.approx(39 / 40)
    assert measurement.standard_error == pytest.approx(np.sqrt(39 / 40 * 1 / 40 / 40))
    assert settings_choice.measure(logits * 7, labels).log_loss == pytest.approx(
        measurement.log_loss
    )


def test_clear_gain_is_taken() -> None:
    chosen = settings_choice.choose([measured(60, 0), measured(60, 1), measured(60, 2, loss=-0.1)])
    assert chosen.chosen == 2
    assert 'beyond noise' in chosen.why and 'log loss -0.1' in chosen.why


def test_gain_within_noise_is_not() -> None:
    present = measured(40, 0)
    luckier = ValMeasurement(
        present.hits, present.losses - np.random.default_rng(0).normal(0.01, 1, 40)
    )
    chosen = settings_choice.choose([present, luckier])
    assert chosen.chosen == 0
    assert chosen.why.startswith('no other settings')


def test_lower_loss_with_fewer_hits_is_not() -> None:
    present = measured(60, 0, hits=0.9)
    assert settings_choice.choose([present, measured(60, 1, loss=-0.1, hits=0.7)]).chosen == 0


def test_more_hits_are_taken_where_mcnemar_says_so() -> None:
    n = 100
    present = ValMeasurement(np.arange(n) >= 20, np.full(n, 0.5))
    rng = np.random.default_rng(0)
    better = ValMeasurement(np.ones(n, bool), 0.49 + rng.normal(0, 0.5, n) * 0.2)
    better = ValMeasurement(better.hits, better.losses - better.losses.mean() + 0.499)
    gained = settings_choice.gain(better, present)
    assert gained.lower < 0 < gained.loss and gained.p_value < 1e-4
    assert gained.beyond_noise


def test_many_comparisons_ask_for_more() -> None:
    """At 5 % each, one of twenty that only differ by chance would often be taken."""
    taken = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        hits = np.ones(50, bool)
        trials = [ValMeasurement(hits, rng.normal(1.0, 0.3, 50)) for _ in range(21)]
        taken += settings_choice.choose(trials).chosen != 0
    assert taken <= 8


def test_diverged_trainings_are_passed_over() -> None:
    assert settings_choice.choose([None, measured(9, 1), measured(9, 2, loss=-1.0)]).chosen == 2
    assert 'diverged' in settings_choice.choose([None, measured(9, 1)]).why
    assert settings_choice.choose([measured(9, 0), None]).chosen == 0
    with pytest.raises(ValueError, match='no training finished'):
        settings_choice.choose([None, None])


@hypothesis.given(st.integers(1, 50), st.integers(0, 9), st.integers(0, 9))
def test_gain_is_antisymmetric_and_never_both_ways(n: int, one: int, other: int) -> None:
    a, b = measured(n, one), measured(n, other)
    forward, back = settings_choice.gain(a, b), settings_choice.gain(b, a)
    assert forward.loss == pytest.approx(-back.loss)
    assert forward.accuracy == -back.accuracy
    assert not (forward.beyond_noise and back.beyond_noise)
    assert not settings_choice.gain(a, a).beyond_noise


def test_settings_that_are_better_alone_are_not_better_among_twenty() -> None:
    n = 50
    present = ValMeasurement(np.ones(n, bool), np.full(n, 1.0))
    steps = np.tile([-1.0, 1.0], n // 2)
    better = ValMeasurement(present.hits, 0.9 + 0.3 * steps)
    same = ValMeasurement(present.hits, 1.0 + 1e-9 * steps)
    assert 0.05 / 20 < scipy.stats.ttest_rel(present.losses, better.losses).pvalue < 0.05
    assert settings_choice.choose([present, better]).chosen == 1
    assert settings_choice.choose([present, better, *[same] * 19]).chosen == 0
