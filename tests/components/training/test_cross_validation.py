"""Cross-validation on features whose answer is known, and on the awkward ones."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from thawline.components.shared.errors import DataError
from thawline.components.training import cross_validation


def clusters(n: int, classes: int, apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of `n` images around a centre a class, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = rng.normal(size=(classes, 16)) * apart
    return (centres[labels] + rng.normal(size=(n, 16))).astype(np.float32), labels


def test_separable_features_are_told_apart_and_noise_is_not():
    x, y = clusters(120, 3, apart=8.0)
    groups = np.arange(120)
    good = cross_validation.cross_validate(x, y, groups)
    assert good.probe.share > 0.98 and good.knn.share > 0.98
    noise = cross_validation.cross_validate(
        np.random.default_rng(3).normal(size=x.shape), y, groups
    )
    assert noise.probe.lower < 1 / 3 + 0.02 and noise.knn.lower < 1 / 3 + 0.02


def test_majority_is_the_share_of_the_largest_class():
    x, _ = clusters(100, 2, apart=1.0)
    y = (np.arange(100) < 30).astype(int)
    found = cross_validation.cross_validate(x, y, np.arange(100))
    assert found.majority.share == pytest.approx(0.7)
    np.testing.assert_array_equal(found.majority_hits, y == 0)


def test_majority_of_a_balanced_set_is_no_worse_than_a_guess():
    y = np.arange(100) % 2
    scores = cross_validation.cross_validate(np.zeros((100, 3), np.float32), y, np.arange(100))
    assert scores.majority.share == 0.5


def test_a_feature_that_names_the_group_does_not_help():
    # Labels are of the group, features say nothing but which group it is: a split within groups
    # would recognise every one of them.
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(24), 10)
    y = np.tile(np.repeat([0, 1], 10), 12)
    x = rng.normal(size=(24, 30))[groups] + 0.01 * rng.normal(size=(240, 30))
    kept_whole = cross_validation.cross_validate(x.astype(np.float32), y, groups)
    torn = cross_validation.cross_validate(x.astype(np.float32), y, np.arange(240))
    assert torn.probe.share > 0.95 and torn.knn.share > 0.95
    assert kept_whole.probe.share < 0.8 and kept_whole.knn.share < 0.8


def test_same_seed_same_answer_and_sums_of_probabilities():
    x, y = clusters(80, 4, apart=1.0)
    one, two = (cross_validation.cross_validate(x, y, np.arange(80), seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.probabilities, two.probabilities)
    assert one.probe == two.probe and one.strengths == two.strengths
    np.testing.assert_allclose(one.probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(one.probabilities.argmax(axis=1) == y, one.probe_hits)


def test_labels_need_not_be_positions():
    x, y = clusters(60, 3, apart=6.0)
    named = cross_validation.cross_validate(x, np.array([10, 20, 99])[y], np.arange(60))
    assert named.probe == cross_validation.cross_validate(x, y, np.arange(60)).probe


def test_tiny_features_of_random_weights_are_not_lost_in_rounding():
    x, y = clusters(100, 2, apart=3.0)
    shifted = ((x * 1e-3 + 5.0) * 1e-11).astype(np.float32)
    found = cross_validation.cross_validate(shifted, y, np.arange(100))
    assert found.probe.share > 0.9 and found.knn.share > 0.7


def test_a_class_of_one_image_is_counted_as_missed():
    x, y = clusters(41, 2, apart=8.0)
    y[40] = 2
    found = cross_validation.cross_validate(x, y, np.arange(41))
    assert not found.probe_hits[40] and not found.knn_hits[40]
    assert found.probe.n == 41


def test_a_class_a_group_leaves_one_class_to_learn_from():
    x, y = clusters(20, 2, apart=8.0)
    found = cross_validation.cross_validate(x, y, y)
    assert found.probe.share == 0.0
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)


@pytest.mark.parametrize(
    ('labels', 'groups', 'part'),
    [([0] * 8, range(8), 'at least two'), ([0, 1] * 4, [0] * 8, 'one group')],
)
def test_nothing_can_be_held_out(labels, groups, part):
    with pytest.raises(DataError, match=part):
        cross_validation.assign_folds(np.array(labels), np.array(list(groups)), 5, 0)


@hypothesis.given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=2, max_size=60),
    st.integers(0, 3),
)
def test_folds_never_split_a_group(pairs, seed):
    labels, groups = (np.array(column) for column in zip(*pairs, strict=True))
    hypothesis.assume(len(set(labels)) > 1 and len(set(groups)) > 1)
    fold = cross_validation.assign_folds(labels, groups, 5, seed)
    assert len(np.unique(fold)) >= 2
    assert all(len(set(fold[groups == g])) == 1 for g in set(groups))


def test_what_is_not_a_feature_is_refused():
    x, y = clusters(20, 2, apart=1.0)
    with pytest.raises(ValueError, match='20, 20 and 19'):
        cross_validation.cross_validate(x, y, np.arange(19))
    x[3, 3] = np.nan
    with pytest.raises(ValueError, match='not finite'):
        cross_validation.cross_validate(x, y, np.arange(20))


def test_what_is_held_out_does_not_scale_what_is_learned_from():
    x, y = clusters(100, 2, apart=0.5)
    groups = np.arange(100)
    fold = cross_validation.assign_folds(y, groups, cross_validation.FOLDS, 0)
    outlier = np.flatnonzero(fold == 0)[0]
    changed = x.copy()
    changed[outlier] *= 1000
    others = (fold == 0) & (groups != outlier)
    before, after = (
        cross_validation.cross_validate(f, y, groups).probabilities for f in (x, changed)
    )
    np.testing.assert_array_equal(before[others], after[others])
    assert np.abs(before[fold == 1] - after[fold == 1]).max() > 0.01


def test_strength_is_chosen_on_groups_that_it_was_not_fitted_on():
    # As above: torn groups are recognised by a weak penalty, whole ones are not.
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(24), 10)
    y = np.tile(np.repeat([0, 1], 10), 12)
    x = rng.normal(size=(24, 30))[groups] + 0.01 * rng.normal(size=(240, 30))
    whole = cross_validation._choose_strength(x, y, groups, 0)
    torn = cross_validation._choose_strength(x, y, np.arange(240), 0)
    assert whole < torn
    strengths = cross_validation.cross_validate(x.astype(np.float32), y, groups).strengths
    assert max(strengths) < torn
