"""How often a model passes the gate, against the gate itself and against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from thawline.components.evaluation.gate.counts import Counts, HitCount
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.val_accuracy import val_accuracy
from thawline.components.statistics import proportions
from thawline.pipeline.planning import power


@pytest.mark.parametrize(('threshold', 'confidence'), [(0.8, 0.95), (0.95, 0.95), (0.6, 0.975)])
def test_hits_needed_are_those_of_each_number(threshold: float, confidence: float) -> None:
    found = power.hits_needed(threshold, confidence, most=150)
    for n in range(1, 151):
        one = proportions.hits_needed(n, threshold, confidence)
        assert found[n] == (n + 1 if one is None else one)


def test_the_chance_is_how_often_the_gate_itself_passes() -> None:
    rng = np.random.default_rng(0)
    gate = Gate(val_accuracy=0.8)
    passed = {
        hits: val_accuracy(Counts(HitCount(hits, 100), HitCount(0, 0), {}, {}, None), gate).holds
        for hits in range(101)
    }
    drawn = rng.binomial(100, 0.88, 20_000)
    share = float(np.mean([passed[hits] for hits in drawn.tolist()]))
    chance = power.chance(100, 0.88, 0.8)
    assert chance == pytest.approx(share, abs=0.015)
    least = min(hits for hits, holds in passed.items() if holds)
    tail = sum(scipy.stats.binom.pmf(hits, 100, 0.88) for hits in range(least, 101))
    assert chance == pytest.approx(tail)


def test_too_few_images_pass_no_model() -> None:
    assert power.chance(16, 0.999, 0.8) == 0.0 and power.accuracy_for(0.8, 16, 0.8) is None
    assert power.chance(17, 1.0, 0.8) == 1.0


def test_images_and_accuracy_for_a_chance() -> None:
    n = power.images_for(0.8, 0.9, 0.8)
    assert n == 113  # as docs/gate.md says
    assert power.chance(n - 1, 0.9, 0.8) < 0.8
    assert min(power.chance(more, 0.9, 0.8) for more in range(n, n + 200)) >= 0.8
    assert power.images_for(0.8, 0.8, 0.8) is None  # at the threshold no number helps
    accuracy = power.accuracy_for(0.8, 100, 0.8)
    assert accuracy is not None and power.chance(100, accuracy, 0.8) == pytest.approx(0.8)


def test_a_group_whose_images_are_answered_alike_counts_as_one_image() -> None:
    gate = Gate(val_accuracy=0.8)
    for groups in (17, 50):
        passed = []
        for hits in range(groups + 1):
            kinds = ((0, 6, groups - hits), (6, 6, hits))
            tally = tuple(kind for kind in kinds if kind[2])
            counts = Counts(HitCount(6 * hits, 6 * groups, tally), HitCount(0, 0), {})
            if val_accuracy(counts, gate).holds:
                passed.append(hits)
        assert min(passed) == proportions.hits_needed(groups, 0.8)


def test_chances_of_groups_that_the_docs_compare_with_a_simulation() -> None:
    chances = [round(100 * power.chance(groups, 0.9, 0.8)) for groups in (17, 33, 67)]
    assert chances == [17, 14, 49]  # docs/gate.md
