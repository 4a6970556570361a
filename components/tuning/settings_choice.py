"""Which of several trainings is better beyond chance, judged on the same val images.

The measure is log loss after temperature scaling. Accuracy on a few dozen images moves in steps of
an image and ties; log loss says of each image how sure the answer was, so that pairs of trainings
differ in it where they give the same answers. Without the scaling it would mostly compare how far
label smoothing and the length of training have pushed confidence, which the exported model's own
temperature undoes. Accuracy, which the gate asks for, must not be lower.

The present settings stay unless another one is better beyond noise. With k others compared at once
each has to be so at the level 5 % / k (Bonferroni), else the luckiest of them would often seem to
be. What is covered is which images val happens to hold; that a training of another seed would end
elsewhere is not.

Contract: logits float [N, C], labels int [N] in [0, C), hits bool [N], losses float64 [N].
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import scipy.special
import scipy.stats

from thawline.components.statistics import clustered
from thawline.components.training import calibration

LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class ValMeasurement:
    """What a training answers on val: its hits, and the log loss of each image, in nats."""

    hits: np.ndarray
    losses: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of hits."""
        return float(self.hits.mean())

    @property
    def log_loss(self) -> float:
        """Mean over the images."""
        return float(self.losses.mean())

    @property
    def standard_error(self) -> float:
        """Of the accuracy."""
        return math.sqrt(self.accuracy * (1 - self.accuracy) / len(self.hits))


def measure(logits: np.ndarray, labels: np.ndarray) -> ValMeasurement:
    """Judges answers.

    Raises:
        ValueError: there is no image, or a logit is not finite.
    """
    scaled = logits.astype(np.float64) / calibration.fit_temperature(logits, labels)
    losses = -scipy.special.log_softmax(scaled, axis=1)[np.arange(len(labels)), labels]
    return ValMeasurement(logits.argmax(axis=1) == labels, losses)


@dataclasses.dataclass(frozen=True)
class Gain:
    """By how much one training is above another, image by image.

    Attributes:
        loss: mean of the log losses that are saved, in nats; above 0 is better.
        lower, upper: its interval (Student's t) at the level asked for.
        accuracy: difference of the accuracies, in [-1, 1].
        p_value: of it, by McNemar's exact test.
        beyond_noise: one of the two is better at that level, and the other is not worse.
    """

    loss: float
    lower: float
    upper: float
    accuracy: float
    p_value: float
    beyond_noise: bool


def gain(one: ValMeasurement, other: ValMeasurement, level: float = LEVEL) -> Gain:
    """How far `one` is above `other`.

    Raises:
        ValueError: the two are not of the same images.
    """
    answers = clustered.accuracy_gain(one.hits, other.hits, np.arange(len(one.hits)))
    saved = other.losses - one.losses
    mean, n = float(saved.mean()), len(saved)
    half = math.inf
    if n > 1:
        spread = float(saved.std(ddof=1)) / math.sqrt(n)
        half = float(scipy.stats.t.ppf(1 - level / 2, n - 1)) * spread
    by_loss = mean - half > 0 and answers.mean >= 0
    by_accuracy = answers.mean > 0 and answers.p_value < level and mean >= 0
    return Gain(
        mean, mean - half, mean + half, answers.mean, answers.p_value, by_loss or by_accuracy
    )


@dataclasses.dataclass(frozen=True)
class SettingsChoice:
    """Which one is taken, and why, as a clause for people."""

    chosen: int
    why: str


def choose(measured: Sequence[ValMeasurement | None]) -> SettingsChoice:
    """Takes the first, the present one, unless another is better beyond noise.

    Args:
        measured: None for a training that diverged.

    Raises:
        ValueError: all diverged.
    """
    others = [i for i, found in enumerate(measured) if i and found is not None]
    present = measured[0]
    by_loss = sorted(others, key=lambda i: _of(measured, i).log_loss)
    if present is None:
        if not others:
            raise ValueError('no training came to an end')
        return SettingsChoice(by_loss[0], 'the training with the present settings diverged')
    if not others:
        return SettingsChoice(0, 'nothing else was tried')
    level = LEVEL / len(others)
    gains = {i: gain(_of(measured, i), present, level) for i in by_loss}
    better = [i for i in by_loss if gains[i].beyond_noise]
    if better:
        return SettingsChoice(
            better[0], f'better than the present settings beyond noise: {_said(gains[better[0]])}'
        )
    best = by_loss[0]
    if gains[best].loss <= 0:
        return SettingsChoice(0, 'no other settings have a lower log loss')
    return SettingsChoice(
        0, f'nothing is better beyond noise; the lowest log loss: {_said(gains[best])}'
    )


def _of(measured: Sequence[ValMeasurement | None], i: int) -> ValMeasurement:
    found = measured[i]
    assert found is not None
    return found


def _said(found: Gain) -> str:
    return (
        f'log loss {-found.loss:+.3f} ({-found.upper:+.3f} to {-found.lower:+.3f}), accuracy '
        f'{100 * found.accuracy:+.1f} points (McNemar p = {found.p_value:.2f}), on the same images'
    )
