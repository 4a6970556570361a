"""Augmentation auto: changes that a model trained on plain images cannot cope with are left out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.components.training import tiny
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import augmentation_choice, params
from thawline.components.training.epoch_trainer import EpochTrainer
from thawline.components.training.record import AugmentationRecord

SIDE = 32
MIDDLE = (SIDE - 1) / 2
# Stripes of four pixels, the same seen in a mirror; the other class has them where they are dark.
STRIPES = np.tile(np.cos((np.arange(SIDE) - MIDDLE) * np.pi / 2), (SIDE, 1))
UPPER = np.where(np.arange(SIDE) < MIDDLE, 1.0, -1.0)[:, None]
LEFT = np.tile(UPPER.T, (SIDE, 1))


class Matched:
    """Two classes, which differ by the sign of a pattern; the logits are what fits it better."""

    def __init__(self, pattern: np.ndarray, n: int = 64) -> None:
        labels = np.arange(n) % 2
        noise = np.random.default_rng(0).normal(0, 40, (n, SIDE, SIDE, 3))
        signs = np.where(labels == 1, 1.0, -1.0)[:, None, None, None]
        pixels = np.clip(128 + 40 * signs * pattern[None, :, :, None] + noise, 0, 255)
        ids = np.array([f'{row:06d}'.encode() for row in range(n)], object)
        self._pattern = pattern
        self.val = LabelledSet(pixels.astype(np.uint8), labels, ids)
        self.looked = 0

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, 3] -> float32 [N, 2]."""
        self.looked += len(pixels)
        fit = ((pixels - 128.0) * self._pattern[None, :, :, None]).mean(axis=(1, 2, 3)) / 10
        return np.stack([-fit, fit], axis=1).astype(np.float32)

    def chosen(self) -> str:
        """What is chosen for these images."""
        return augmentation_choice.choose(self.logits, self.logits(self.val.values), self.val, 0)[0]


@pytest.mark.parametrize(
    ('pattern', 'expected'),
    [
        (np.ones((SIDE, SIDE)), 'standard'),  # a colour
        (STRIPES, 'flips'),
        (STRIPES * UPPER, 'flip'),  # upside down it is the other class
        (LEFT, 'none'),  # in a mirror it is the other class
    ],
)
def test_harmful_augmentation_is_left_out(pattern: np.ndarray, expected: str) -> None:
    assert Matched(pattern).chosen() == expected


def test_one_image_is_no_evidence() -> None:
    assert Matched(STRIPES, 1).chosen() == 'standard'


def test_same_seed_finds_the_same_and_a_part_of_many_images_is_enough() -> None:
    matched = Matched(STRIPES, augmentation_choice.MAX_IMAGES + 100)
    plain = matched.logits(matched.val.values)
    matched.looked = 0
    name, affinities = augmentation_choice.choose(matched.logits, plain, matched.val, 3)
    assert (name, affinities) == augmentation_choice.choose(matched.logits, plain, matched.val, 3)
    assert list(affinities) == ['standard', 'light', 'flip', 'up_down']
    assert matched.looked == 2 * len(affinities) * augmentation_choice.MAX_IMAGES
    assert affinities['standard'].accuracy < 0.8 < affinities['up_down'].accuracy
    assert augmentation_choice.is_harmful(affinities['standard'])
    assert not augmentation_choice.is_harmless(affinities['standard'])


def test_named_policy_is_taken_without_a_look() -> None:
    matched = Matched(STRIPES)
    plain = matched.logits(matched.val.values)
    matched.looked = 0
    settings = params.Training(augmentation='strong')
    resolved, record = augmentation_choice.resolve(settings, matched.logits, plain, matched.val)
    assert resolved == settings and matched.looked == 0
    assert record == AugmentationRecord('strong', {})


def test_resolved_settings_have_the_name_of_a_policy() -> None:
    matched = Matched(STRIPES)
    plain = matched.logits(matched.val.values)
    resolved, record = augmentation_choice.resolve(
        params.Training(), matched.logits, plain, matched.val
    )
    assert resolved == params.Training(augmentation='flips')
    assert record.policy == 'flips'
    assert record.measured['up_down'].accuracy == 1.0


def test_fine_tuning_needs_a_resolved_policy() -> None:
    train = tiny.images(8)
    with pytest.raises(ValueError, match='augmentation_choice.resolve'):
        EpochTrainer(tiny.classifier(), train, train, params.Training(), None)
