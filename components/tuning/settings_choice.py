"""Which of several trainings is better beyond chance, on the same val images.

The measure is log loss after temperature scaling. Accuracy on a few dozen images moves in steps of
an image and ties; log loss also counts how sure each answer was, so trainings differ in it where
they give the same answers. Without the scaling it would mostly compare how far label smoothing and
the length of training have pushed confidence, which the exported model's own temperature undoes.
Accuracy, which the gate asks for, must not be lower.

The current settings stay unless others are better beyond noise. With k others compared at once,
each has to be better at the level 5 % / k (Bonferroni), or the luckiest would often seem to be.
This covers chance in which images val holds, not in the seed of the training.

Contract: logits float [N, C], labels int [N] in [0, C), hits bool [N], losses float64 [N].
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import scipy.stats

from thawline.components.statistics import clustered
from thawline.components.training import calibration, scores

LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class ValMeasurement:
    """For each val image, whether the answer is right, and the log loss in nats."""

    hits: np.ndarray
    losses: np.ndarray

    @property
    def accuracy(self) -> float:
        return float(self.hits.mean())

    @property
    def log_loss(self) -> float:
        return float(self.losses.mean())

    @property
    def standard_error(self) -> float:
        """Of the accuracy."""
        return math.sqrt(self.accuracy * (1 - self.accuracy) / len(self.hits))


def measure(logits: np.ndarray, labels: np.ndarray) -> ValMeasurement:
    """Measures predictions.

    Raises:
        ValueError: there is no image, or a logit is not finite.
    """
    scaled = logits.astype(np.float64) / calibration.fit_temperature(logits, labels)
    return ValMeasurement(logits.argmax(axis=1) == labels, scores.losses(scaled, labels))


@dataclasses.dataclass(frozen=True)
class Gain:
    """By how much one training is better than another, image by image.

    Attributes:
        loss: mean decrease of the log loss, in nats; above 0 is better.
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


def gain(trial: ValMeasurement, reference: ValMeasurement, level: float = LEVEL) -> Gain:
    """By how much a trial is better than another.

    Raises:
        ValueError: they are not of the same images.
    """
    answers = clustered.accuracy_gain(trial.hits, reference.hits, np.arange(len(trial.hits)))
    saved = reference.losses - trial.losses
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
    """The number of the chosen settings, and the reason, a clause for people."""

    chosen: int
    why: str


def choose(measured: Sequence[ValMeasurement | None]) -> SettingsChoice:
    """Chooses the first, with the current settings, unless another is better beyond noise.

    Args:
        measured: None for a training that diverged.

    Raises:
        ValueError: all diverged.
    """
    others = {i: trial for i, trial in enumerate(measured) if i and trial is not None}
    current = measured[0]
    by_loss = sorted(others, key=lambda i: others[i].log_loss)
    if current is None:
        if not others:
            raise ValueError('no training finished')
        return SettingsChoice(by_loss[0], 'the training with the current settings diverged')
    if not others:
        return SettingsChoice(0, 'no other settings were tried')
    level = LEVEL / len(others)
    gains = {i: gain(others[i], current, level) for i in by_loss}
    better = [i for i in by_loss if gains[i].beyond_noise]
    if better:
        return SettingsChoice(
            better[0],
            f'better than the current settings beyond noise: {_describe(gains[better[0]])}',
        )
    best = by_loss[0]
    if gains[best].loss <= 0:
        return SettingsChoice(0, 'no other settings have a lower log loss')
    return SettingsChoice(
        0, f'no other settings are better beyond noise; lowest log loss: {_describe(gains[best])}'
    )


def _describe(gained: Gain) -> str:
    return (
        f'log loss {-gained.loss:+.3f} ({-gained.upper:+.3f} to {-gained.lower:+.3f}), accuracy '
        f'{100 * gained.accuracy:+.1f} points (McNemar p = {gained.p_value:.2f}) on the same images'
    )
