"""Targets: what smoothing, weights and blends do to labels, read off the very pixels."""

from __future__ import annotations

import random

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from thawline.components.training.targets import Targets, class_weights

SIDE = 8
WEIGHTS = np.array([0.5, 1.0, 3.0], np.float32)
LABELS = np.array([0, 1, 2, 2, 1, 0, 1])
CONFIDENCE = np.array([1.0, 0.5, 0.8, 1.0, 0.4, 0.9, 0.1], np.float32)


def ones(classes: int) -> np.ndarray:
    return np.ones(classes, np.float32)


def of(
    targets: Targets,
    images: np.ndarray,
    labels: np.ndarray = LABELS,
    seed: int = 0,
    confidence: np.ndarray = CONFIDENCE,
) -> tuple[np.ndarray, np.ndarray]:
    result = targets.batch(
        tf.constant(images),
        tf.constant(labels),
        tf.constant(confidence[: len(labels)]),
        tf.constant([seed, 1], tf.int64),
    )
    return result[0].numpy(), result[1].numpy()


def plain() -> np.ndarray:
    """float32 [7, SIDE, SIDE, 3]; each image is one value everywhere, and its neighbours differ."""
    values = np.array([0, 10, 40, 90, 160, 200, 250], np.float32)
    return np.broadcast_to(values[:, None, None, None], (7, SIDE, SIDE, 3)).copy()


def noise(n: int = 7) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (n, SIDE, SIDE, 3)).astype(np.float32)


def test_without_anything_a_label_is_one_hot_and_images_are_as_they_were() -> None:
    images, targets = of(Targets(0.0, 'none', ones(3), False), noise())
    np.testing.assert_array_equal(images, noise(), strict=True)
    np.testing.assert_array_equal(targets, np.eye(3, dtype=np.float32)[LABELS], strict=True)


def test_smoothing_spreads_its_share_over_all_classes() -> None:
    _, targets = of(Targets(0.3, 'none', ones(3), False), noise())
    np.testing.assert_allclose(targets, 0.7 * np.eye(3)[LABELS] + 0.1, atol=1e-6)


def test_confidence_is_the_share_of_the_label_and_the_rest_is_spread_evenly() -> None:
    _, targets = of(Targets(0.0, 'none', ones(3), True), noise())
    expected = np.repeat((1 - CONFIDENCE[:, None]) / 2, 3, axis=1)
    expected[np.arange(7), LABELS] = CONFIDENCE
    np.testing.assert_allclose(targets, expected, atol=1e-6)
    _, smooth = of(Targets(0.3, 'none', WEIGHTS, True), noise())
    # Smoothed as any target is; the weight is that of the label, however sure it is.
    weighted = (0.7 * expected + 0.1) * WEIGHTS[LABELS][:, None]
    np.testing.assert_allclose(smooth, weighted, atol=1e-6)


@pytest.mark.parametrize('mix', ['none', 'mixup', 'cutmix'])
@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_certain_labels_are_the_same_soft_or_not_bit_for_bit(mix: str, smoothing: float) -> None:
    soft, hard = (Targets(smoothing, mix, WEIGHTS, soft) for soft in (True, False))
    found, expected = of(soft, noise(), confidence=ones(7)), of(hard, noise())
    np.testing.assert_array_equal(found[0], expected[0], strict=True)
    np.testing.assert_array_equal(found[1], expected[1], strict=True)


@pytest.mark.parametrize('smoothing', [0.0, 0.2])
def test_row_sums_to_the_weight_of_its_class(smoothing: float) -> None:
    _, targets = of(Targets(smoothing, 'none', WEIGHTS, False), noise())
    np.testing.assert_allclose(targets.sum(axis=1), WEIGHTS[LABELS], rtol=1e-6)
    assert (targets.argmax(axis=1) == LABELS).all()


@hypothesis.given(st.lists(st.integers(1, 60), min_size=2, max_size=8), st.randoms())
def test_balanced_classes_weigh_the_same_and_the_mean_image_one(
    counts: list[int], order: random.Random
) -> None:
    drawn = [label for label, count in enumerate(counts) for _ in range(count)]
    order.shuffle(drawn)
    labels = np.array(drawn)
    weights = class_weights(labels, len(counts), 'balanced')
    assert weights.shape == (len(counts),) and weights.dtype == np.float32
    sums = np.bincount(labels, weights[labels])
    np.testing.assert_allclose(sums, len(labels) / len(counts), rtol=1e-5)
    assert weights[labels].mean() == pytest.approx(1.0, rel=1e-5)


def test_without_class_weights_all_weigh_one() -> None:
    weights = class_weights(np.array([0, 0, 0, 1]), 2, 'none')
    np.testing.assert_array_equal(weights, ones(2), strict=True)


def own_shares(images: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Share of the image itself in each pixel, the rest being of the one before it in the batch."""
    other = np.roll(before, 1, axis=0)
    shares: np.ndarray = (images - other) / (before - other)
    return shares


@pytest.mark.parametrize('seed', range(5))
def test_mixup_targets_are_the_combination_that_the_pixels_are(seed: int) -> None:
    images, targets = of(Targets(0.1, 'mixup', WEIGHTS, False), plain(), seed=seed)
    _, unmixed = of(Targets(0.1, 'none', WEIGHTS, False), plain())
    shares = own_shares(images, plain())
    own = float(shares.mean())
    assert 0.5 - 1e-5 <= own <= 1.0 + 1e-5  # the larger part is of the image itself
    np.testing.assert_allclose(shares, own, atol=1e-4)  # the same in all pixels and images
    np.testing.assert_allclose(
        targets, own * unmixed + (1 - own) * np.roll(unmixed, 1, axis=0), atol=1e-4
    )


@pytest.mark.parametrize('seed', range(5))
def test_cutmix_targets_are_the_combination_that_the_pixels_are(seed: int) -> None:
    images, targets = of(Targets(0.1, 'cutmix', WEIGHTS, False), plain(), seed=seed)
    _, unmixed = of(Targets(0.1, 'none', WEIGHTS, False), plain())
    shares = own_shares(images, plain())
    assert np.isin(shares, (0.0, 1.0)).all()  # a pixel is of one image or of the other
    own = shares.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(own, own[0], atol=1e-6)
    np.testing.assert_allclose(
        targets, own[0] * unmixed + (1 - own[0]) * np.roll(unmixed, 1, axis=0), atol=1e-5
    )


@pytest.mark.parametrize('seed', range(5))
def test_cutmix_moves_one_rectangle_and_changes_no_pixel(seed: int) -> None:
    images, _ = of(Targets(0.0, 'cutmix', ones(3), False), noise(), seed=seed)
    own = (images == noise()).all(axis=3)
    other = (images == np.roll(noise(), 1, axis=0)).all(axis=3)
    assert (own ^ other).all()
    assert (other == other[0]).all()
    rows, columns = other[0].any(axis=1), other[0].any(axis=0)
    np.testing.assert_array_equal(other[0], rows[:, None] & columns[None, :])
    for side in (rows, columns):
        assert np.abs(np.diff(side.astype(int))).sum() <= 2  # without a gap


@pytest.mark.parametrize('mix', ['mixup', 'cutmix'])
def test_blends_differ_from_batch_to_batch_and_are_reproducible(mix: str) -> None:
    blend = Targets(0.0, mix, ones(3), False)
    own = []
    for seed in range(30):
        images, targets = of(blend, plain(), seed=seed)
        again = of(blend, plain(), seed=seed)
        np.testing.assert_array_equal(images, again[0])
        np.testing.assert_array_equal(targets, again[1])
        np.testing.assert_allclose(targets.sum(axis=1), 1.0, rtol=1e-5)
        own.append(float(own_shares(images, plain()).mean()))
    assert len({round(share, 3) for share in own}) > 10
    assert min(own) < 0.7 and max(own) > 0.95


def test_blends_are_independent_of_the_augmentation_of_the_same_batch() -> None:
    """Both are seeded by the batch; a cut as large as the first image's turn would be a pattern."""
    blend = Targets(0.0, 'cutmix', ones(3), False)
    cut, drawn = [], []
    for seed in range(150):
        images, _ = of(blend, plain(), seed=seed)
        cut.append(1 - own_shares(images, plain()).mean())
        drawn.append(tf.random.stateless_uniform([7, 11], tf.constant([seed, 1]))[0, 0].numpy())
    assert abs(np.corrcoef(cut, drawn)[0, 1]) < 0.4  # 5 standard deviations of chance


@pytest.mark.parametrize('mix', ['none', 'mixup', 'cutmix'])
def test_batch_of_one_stays_what_it_is(mix: str) -> None:
    images, targets = of(Targets(0.0, mix, ones(3), False), noise(1), np.array([2]))
    np.testing.assert_allclose(images, noise(1), rtol=1e-5)
    np.testing.assert_allclose(targets, [[0, 0, 1]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('mix', ['none', 'mixup', 'cutmix'])
def test_same_in_a_dataset_as_eagerly(mix: str) -> None:
    blending, seed = Targets(0.1, mix, WEIGHTS, True), tf.constant([0, 1], tf.int64)
    mapped = tf.data.Dataset.from_tensors((noise(), LABELS, CONFIDENCE)).map(
        lambda x, y, c: blending.batch(x, y, c, seed)
    )
    ((images, targets),) = mapped.as_numpy_iterator()
    expected = of(blending, noise())
    np.testing.assert_allclose(images, expected[0], atol=1e-3)
    np.testing.assert_allclose(targets, expected[1], atol=1e-5)
