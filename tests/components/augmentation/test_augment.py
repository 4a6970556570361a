"""Augmentation: exact where it can be, inside its ranges where it is random."""

from __future__ import annotations

import dataclasses

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from thawline.components.augmentation import DRAWS, POLICIES, Policy, augment, view_draws

SIDE = 16


def pictures(n: int, seed: int = 0) -> np.ndarray:
    """uint8 [n, SIDE, SIDE, 3] of noise: no symmetry, so every change shows."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, SIDE, SIDE, 3)).astype(np.uint8)


def copies(n: int) -> np.ndarray:
    """The same picture n times."""
    return np.repeat(pictures(1), n, axis=0)


def draws_for(n: int, seed: int = 0) -> tf.Tensor:
    return tf.random.stateless_uniform([n, DRAWS], [seed, 1])


def changed(images: np.ndarray, policy: Policy, seed: int = 0) -> np.ndarray:
    return augment(tf.constant(images), policy, draws_for(len(images), seed)).numpy()


def column_ramp(n: int) -> np.ndarray:
    """Each pixel's value is ten times its column: float32 [n, SIDE, SIDE, 3]."""
    row = np.arange(SIDE, dtype=np.float32) * 10
    return np.broadcast_to(row[None, None, :, None], (n, SIDE, SIDE, 3)).copy()


def test_identity_policy_returns_the_same_pixels() -> None:
    images = pictures(3)
    assert POLICIES['none'].is_identity
    augmented = changed(images, POLICIES['none'])
    np.testing.assert_array_equal(augmented, images.astype(np.float32), strict=True)


@pytest.mark.parametrize('name', sorted(set(POLICIES) - {'none'}))
def test_named_policy(name: str) -> None:
    policy = POLICIES[name]
    assert not policy.is_identity
    images = copies(8)
    images[:, :, : SIDE // 2] //= 128  # half nearly black
    images[:, : SIDE // 2] |= 0x80  # and some of it bright, so that both ends of the range are met
    augmented = changed(images, policy)
    assert augmented.dtype == np.float32
    assert augmented.shape == images.shape
    assert augmented.min() >= 0.0 and augmented.max() <= 255.0
    np.testing.assert_array_equal(augmented, changed(images, policy))
    other = (augmented != changed(images, policy, seed=1)).any(axis=(1, 2, 3))
    assert other.any() if policy.single else other.all()  # one kind of change may be none at all
    # The same picture eight times: each of them is changed in a way of its own.
    assert len(np.unique(augmented.reshape(8, -1), axis=0)) == 8 or policy.single


@pytest.mark.parametrize('name', sorted(POLICIES))
def test_same_in_a_dataset_as_eagerly(name: str) -> None:
    images, draws = pictures(4), draws_for(4)
    mapped = tf.data.Dataset.from_tensors(images).map(lambda x: augment(x, POLICIES[name], draws))
    (outputs,) = mapped.as_numpy_iterator()
    np.testing.assert_allclose(outputs, changed(images, POLICIES[name]), atol=1e-3)


@pytest.mark.parametrize('name', sorted(POLICIES))
def test_an_image_depends_on_its_own_draws_alone(name: str) -> None:
    images, draws = pictures(6), draws_for(6)
    together = augment(tf.constant(images), POLICIES[name], draws).numpy()
    for i in range(6):
        alone = augment(tf.constant(images[i : i + 1]), POLICIES[name], draws[i : i + 1]).numpy()
        # Kernels vectorise over the batch: the last bits may differ, no more.
        np.testing.assert_allclose(alone[0], together[i], atol=1e-3)


@pytest.mark.parametrize(('name', 'axes'), [('flip', [2]), ('flips', [1, 2])])
def test_policies_without_resampling_only_move_and_recolour(name: str, axes: list[int]) -> None:
    policy = POLICIES[name]
    assert not policy.resamples
    images = pictures(200)
    colourless = dataclasses.replace(policy, brightness=0.0, contrast=0.0)
    augmented = changed(images, colourless)
    mirrors = [images.astype(np.float32)]
    for axis in axes:
        mirrors += [np.flip(one, axis) for one in mirrors]
    hits = np.array([(augmented == one).all(axis=(1, 2, 3)) for one in mirrors])
    assert (hits.sum(axis=0) == 1).all()
    assert (hits.sum(axis=1) >= 25).all()  # of 100 or 50 expected


@pytest.mark.parametrize('name', sorted(POLICIES))
def test_resampling_is_told_right(name: str) -> None:
    assert POLICIES[name].resamples == (name not in ('none', 'flip', 'flips'))


def test_single_changes_one_kind_at_a_time() -> None:
    """Of 800 images an eighth is left alone, and an eighth each has one change and no other."""
    policy = dataclasses.replace(POLICIES['trivial'], flip_horizontal=False)
    n = 800
    images = np.repeat(pictures(1, seed=3), n, axis=0)
    draws = draws_for(n, seed=5)
    augmented = augment(tf.constant(images), policy, draws).numpy()
    choice = (draws.numpy()[:, -1] * 8).astype(int)
    untouched = np.isclose(augmented, images, atol=1e-3).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(untouched, choice == 7)
    assert 60 <= untouched.sum() <= 140
    # A change of colour alone keeps the order of a row's grey values; a move does not.
    brighter = choice == 6
    difference = augmented[brighter] - images[brighter]
    inside = (augmented[brighter] > 0) & (augmented[brighter] < 255)
    for row, shown in zip(difference, inside, strict=True):
        assert np.ptp(row[shown]) < 1e-3


@hypothesis.given(st.integers(0, 2**31 - 1), st.binary(max_size=40), st.integers(0, 16))
def test_view_draws_are_a_function_of_all_three(seed: int, image_id: bytes, view: int) -> None:
    draws = view_draws(seed, [image_id], view)
    assert draws.shape == (1, DRAWS) and draws.dtype == np.float32
    assert draws.min() >= 0.0 and draws.max() < 1.0
    both = view_draws(seed, [b'other', image_id], view)
    np.testing.assert_array_equal(draws[0], both[1])
    for other in (seed + 1, image_id, view), (seed, image_id + b'x', view), (seed, image_id, 17):
        assert (draws != view_draws(other[0], [other[1]], other[2])).any()


def test_view_draws_are_uniform() -> None:
    draws = view_draws(0, [f'{i}'.encode() for i in range(4000)], 1)
    np.testing.assert_allclose(draws.mean(axis=0), 0.5, atol=0.02)  # 4 standard errors
    np.testing.assert_allclose(draws.var(axis=0), 1 / 12, atol=0.005)
    correlation = np.corrcoef(draws.T) - np.eye(DRAWS)
    assert np.abs(correlation).max() < 0.08


@pytest.mark.parametrize(('field', 'axis'), [('flip_horizontal', 2), ('flip_vertical', 1)])
def test_flips_are_exact_and_half_of_all(field: str, axis: int) -> None:
    images = pictures(200)
    augmented = changed(images, Policy(**{field: True}))  # type: ignore[arg-type]
    same = (augmented == images).all(axis=(1, 2, 3))
    mirrored = (augmented == np.flip(images, axis)).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 60 <= mirrored.sum() <= 140  # 6 standard deviations either way


def test_quarter_turns_are_exact_and_all_four_occur() -> None:
    images = pictures(60)
    found = np.round(changed(images, Policy(quarter_turns=True)))
    turned = [np.rot90(images, turns, axes=(1, 2)) for turns in range(4)]
    hits = np.array([(found == candidate).all(axis=(1, 2, 3)) for candidate in turned])
    assert (hits.sum(axis=0) == 1).all()
    assert (hits.sum(axis=1) >= 5).all()


def test_zoom_shows_the_given_share_of_the_side() -> None:
    augmented = changed(column_ramp(20), Policy(zoom=(0.5, 0.5)))
    shown = (augmented[:, 8, -1, 0] - augmented[:, 8, 0, 0]) / 10 / (SIDE - 1)
    # A crop comes from anywhere, and nothing of it is mirrored in but half a pixel at the edge.
    np.testing.assert_allclose(shown, 0.5, atol=0.5 / SIDE)
    assert augmented[:, 8, 0, 0].std() > 5.0
    assert (np.diff(augmented[:, 8, 1:-1, 0], axis=1) > 0).all()


def test_shift_stays_in_its_range() -> None:
    augmented = changed(column_ramp(50), Policy(shift=0.25))
    moved = (augmented[:, 8, 8, 0] - 80) / 10 / SIDE
    assert np.abs(moved).max() <= 0.25
    assert moved.min() < -0.1 and moved.max() > 0.1


def test_rotation_stays_in_its_range() -> None:
    augmented = changed(column_ramp(50), Policy(rotation=30.0))
    centre = augmented[:, 6:10, 6:10, 0]  # away from the mirrored edge
    across = (centre[:, 2, 3] - centre[:, 2, 0]) / 30
    angles = np.degrees(np.arccos(np.clip(across, -1, 1)))
    assert angles.max() <= 30.5
    assert angles.max() > 15


def test_colour_stays_in_its_range() -> None:
    images = np.full((50, SIDE, SIDE, 3), 128, np.uint8)
    change = changed(images, Policy(brightness=0.1))[:, 0, 0, 0] - 128
    assert np.abs(change).max() <= 25.5
    assert change.min() < -10 and change.max() > 10
    # Contrast keeps the mean, saturation keeps the grey value.
    noisy = pictures(50) // 4 + 96
    contrasted = changed(noisy, Policy(contrast=0.5))
    np.testing.assert_allclose(contrasted.mean((1, 2, 3)), noisy.mean((1, 2, 3)), atol=0.01)
    factor = contrasted.std((1, 2, 3)) / noisy.std((1, 2, 3))
    assert 0.5 <= factor.min() < 0.8 and 1.2 < factor.max() <= 1.5
    saturated = changed(noisy, Policy(saturation=0.5))
    weights = np.array([0.2989, 0.587, 0.114])  # ITU-R BT.601 luma
    np.testing.assert_allclose(saturated @ weights, noisy @ weights, atol=0.2)
    assert (saturated != noisy).any(axis=(1, 2, 3)).all()
