"""Differences of shares on the same images against published ones and repetition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.statistics import paired, paired_outcome
from thawline.components.statistics.paired_outcome import PairedOutcome


def closed_form(only_first: int, only_second: int, n: int) -> list[float]:
    """Ends by the quartic of Yang, Sun and Hardin (Statistics in Medicine, 2013)."""
    g = scipy.stats.norm.ppf(0.975) ** 2
    gap, both = only_second - only_first, only_second + only_first
    quartic = [
        n**2 * (n / g + 1) ** 2,
        -n * gap * (n / g + 1) * (4 * n / g + 1),
        2 * n * gap**2 * (3 * n / g + 2) / g - n**2 * (both / g + 1),
        n * gap * (2 * both / g + 1) - gap**3 * (4 * n / g + 1) / g,
        gap**2 * (gap**2 / g - both) / g,
    ]
    real = [root.real for root in np.roots(quartic) if abs(root.imag) < 1e-9]
    return [min(real), max(real)]


@pytest.mark.parametrize(
    ('only_first', 'only_second', 'n'), [(40, 20, 160), (7, 1, 21), (3, 5, 30), (12, 2, 50)]
)
def test_the_interval_of_shares_is_tangos(only_first, only_second, n):
    difference = paired.share_difference(only_first, only_second, n)
    assert [difference.lower, difference.upper] == pytest.approx(
        closed_form(only_first, only_second, n), abs=1e-6
    )


@given(st.integers(1, 300), st.data())
def test_the_interval_holds_the_difference_and_turns_with_the_models(n, data):
    first = data.draw(st.integers(0, n))
    second = data.draw(st.integers(0, n - first))
    difference, turned = (
        paired.share_difference(first, second, n),
        paired.share_difference(second, first, n),
    )
    assert -1 <= difference.lower <= difference.value <= difference.upper <= 1
    assert difference.upper > difference.lower
    assert [difference.lower, difference.upper] == pytest.approx(
        [-turned.upper, -turned.lower], abs=1e-9
    )
    # The score test of no difference is McNemar's.
    if first + second:
        z = abs(second - first) / np.sqrt(first + second)
        if abs(z - 1.959964) > 1e-4:
            assert (difference.lower * difference.upper > 0) == (z > 1.959964)


def test_images_without_a_flip_still_leave_a_difference_open():
    z = scipy.stats.norm.ppf(0.975) ** 2
    difference = paired.share_difference(0, 0, 100)
    assert [difference.lower, difference.upper] == pytest.approx([-z / (100 + z), z / (100 + z)])


@pytest.mark.parametrize('counts', [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_impossible_counts(counts):
    with pytest.raises(ValueError, match='Received'):
        paired.share_difference(*counts)


def test_the_interval_covers_the_truth():
    generator = np.random.default_rng(0)
    n, only_first, only_second = 80, 0.06, 0.12
    drawn = generator.multinomial(n, [only_first, only_second, 1 - only_first - only_second], 1500)
    covered = 0
    for a, b, _ in drawn.tolist():
        difference = paired.share_difference(a, b, n)
        covered += difference.lower <= only_second - only_first <= difference.upper
    assert 0.93 < covered / len(drawn) < 0.97


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_binomial_test(won, lost):
    p = paired.mcnemar(won, lost)
    reference = scipy.stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert p == pytest.approx(reference)
    assert p == paired.mcnemar(lost, won)


def test_mcnemar_refuses_negative_counts():
    with pytest.raises(ValueError, match='-1'):
        paired.mcnemar(-1, 3)


@given(st.integers(0, 400), st.sampled_from([0.01, 0.05, 0.5]))
def test_losses_allowed_are_the_most(differ, level):
    allowed = paired.losses_allowed(differ, level)
    assert differ / 2 <= allowed <= differ
    assert paired.mcnemar(differ - allowed, allowed) >= level or 2 * allowed == differ
    if allowed < differ:
        assert paired.mcnemar(differ - allowed - 1, allowed + 1) < level


@pytest.mark.parametrize(
    ('won', 'lost', 'n', 'outcome'),
    [
        (14, 3, 200, PairedOutcome.BETTER),
        (3, 14, 200, PairedOutcome.WORSE),
        (5, 12, 200, PairedOutcome.NO_DIFFERENCE),
        (0, 0, 200, PairedOutcome.NO_DIFFERENCE),
        (0, 5, 20, PairedOutcome.NO_DIFFERENCE),
        (0, 6, 20, PairedOutcome.WORSE),
        (0, 19, 19, PairedOutcome.TOO_FEW),
        (0, 0, 0, PairedOutcome.TOO_FEW),
    ],
)
def test_outcomes(won, lost, n, outcome):
    test = paired.compare(won, lost, n)
    assert test.outcome is outcome
    turned = {PairedOutcome.BETTER: PairedOutcome.WORSE, PairedOutcome.WORSE: PairedOutcome.BETTER}
    assert paired.compare(lost, won, n).outcome is turned.get(outcome, outcome)


def test_the_level_is_that_of_the_gate():
    assert paired.compare(3, 14, 200, 0.01).outcome is PairedOutcome.NO_DIFFERENCE
    assert paired.compare(3, 14, 200, 0.05).outcome is PairedOutcome.WORSE


@given(st.integers(20, 300), st.data())
def test_the_interval_never_contradicts_the_outcome(n, data):
    won = data.draw(st.integers(0, n))
    lost = data.draw(st.integers(0, n - won))
    test = paired.compare(won, lost, n)
    assert test.difference.lower <= test.difference.value == (won - lost) / n
    assert test.difference.value <= test.difference.upper
    sign = {
        PairedOutcome.BETTER: test.difference.lower > 0,
        PairedOutcome.WORSE: test.difference.upper < 0,
    }
    if test.outcome is PairedOutcome.NO_DIFFERENCE:
        assert not any(sign.values())
    else:
        assert sign[test.outcome]


def test_the_interval_holds_0_where_the_exact_test_does_not_rule_it_out():
    """Of 1 against 7 the score test is sure, the exact one is not (p = 0.07)."""
    assert paired.share_difference(1, 7, 40).lower > 0
    assert paired.compare(7, 1, 40).difference.lower == 0.0


@pytest.mark.parametrize('shared', [False, True])
def test_the_words_name_the_outcome_and_the_counts(shared):
    for won, lost in ((14, 3), (3, 14), (5, 12), (0, 0)):
        test = paired.compare(won, lost, 200)
        words = paired_outcome.describe(test, 'this one', 'that one', shared)
        assert ('of the shared classes' in words) is shared
        assert '200 images' in words and paired_outcome.p_text(test.p_value) in words
        if test.outcome is PairedOutcome.NO_DIFFERENCE:
            assert 'may be chance' in words
        else:
            assert f'This one is {test.outcome} than that one' in words
        if won + lost:
            assert f'only this one answers {won} correctly, only that one {lost}.' in words
    few = paired_outcome.describe(paired.compare(0, 1, 1), 'this one', 'that one')
    assert '1 image that' in few and '20' in few


def test_a_p_value_is_told_from_the_level():
    assert paired_outcome.p_text(0.0004) == 'p < 0.001'
    assert paired_outcome.p_text(0.04996) == 'p = 0.04996'
    assert paired_outcome.p_text(0.0123) == 'p = 0.012'


def flipped(groups):
    """The p-value by trying all signs."""
    differences = [d for d, _, k in groups for _ in range(k)]
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    return float(np.mean(np.array(sums) >= abs(sum(differences))))


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_sign_flip_is_what_all_signs_give(differences):
    groups = tuple((d, 5, 1) for d in differences)
    assert paired.sign_flip(groups) == pytest.approx(flipped(groups))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_sign_flip_is_mcnemar_where_no_group_differs_by_more_than_one(won, lost, same):
    groups = tuple(kind for kind in ((1, 3, won), (-1, 2, lost), (0, 7, same)) if kind[-1])
    assert paired.sign_flip(groups) == paired.mcnemar(won, lost)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 30)), min_size=1))
def test_the_tally_is_of_all_images(images):
    hits, others, names = (np.array(column) for column in zip(*images, strict=True))
    groups = paired.pair_tally(hits, others, names)
    won, lost = int((hits & ~others).sum()), int((others & ~hits).sum())
    test = paired.compare(won, lost, len(hits), clusters=groups)
    if len(np.unique(names)) == len(names):
        assert groups == () and test == paired.compare(won, lost, len(hits))
        return
    assert test.groups == len(np.unique(names)) == sum(k for *_, k in groups)
    assert test.difference.lower <= test.difference.value + 1e-9
    assert test.difference.value <= test.difference.upper + 1e-9
    alone = paired.compare(won, lost, len(hits)).difference
    assert test.difference.upper - test.difference.lower >= alone.upper - alone.lower - 1e-9
    if test.p_value >= 0.05:
        assert test.difference.lower <= 0 <= test.difference.upper


def test_equal_models_with_correlated_answers_are_called_different_in_5_percent():
    rng = np.random.default_rng(0)
    names, refused, alone = np.repeat(np.arange(40), 6), 0, 0
    for _ in range(1000):
        hits, others = (
            np.repeat(rng.random(40) < 0.5, 6) ^ (rng.random(240) < 0.15) for _ in range(2)
        )
        won, lost = int((hits & ~others).sum()), int((others & ~hits).sum())
        groups = paired.pair_tally(hits, others, names)
        refused += paired.compare(won, lost, 240, clusters=groups).p_value < 0.05
        alone += paired.mcnemar(won, lost) < 0.05
    assert refused <= 65 < 200 < alone


def test_a_tally_of_other_images_is_refused():
    with pytest.raises(ValueError, match='of other images. Received: 4, 1 of 10'):
        paired.compare(4, 1, 10, clusters=((1, 5, 2),))
