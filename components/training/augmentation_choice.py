"""Which augmentation suits the images, as the head on the frozen base shows.

What helps photographs can ruin other pictures: a rotated photovoltaic cell has bent busbars, as no
real cell has. The affinity of an augmentation shows it: how well a model trained on plain images
does on augmented ones of val (Gontijo-Lopes et al., "Tradeoffs in Data Augmentation: An Empirical
Study", ICLR 2021). Calibrated log loss on val, with MobileNetV2 at 128 px, means of three splits:

| set         | plain | flip  | up-down half the time | light | standard |
|-------------|-------|-------|-----------------------|-------|----------|
| solar cells | 0.333 | 0.337 | 0.338                 | 0.796 | 1.487    |
| flowers5    | 0.419 | 0.424 | 0.567                 | 0.427 | 0.461    |
| trashnet    | 0.528 | 0.543 | 0.564                 | 0.589 | 0.665    |
| hymenoptera | 0.271 | 0.281 | 0.307                 | 0.275 | 0.292    |
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from thawline.components import augmentation
from thawline.components.shared import progress
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import calibration, params, scores
from thawline.components.training.record import Affinity, AugmentationRecord

# From the best for photographs to the weakest.
CANDIDATES: tuple[params.PolicyName, ...] = ('standard', 'light', 'flip', 'none')
UP_DOWN: params.PolicyName = 'flips'  # instead of 'flip', where upside down is harmless
MAX_IMAGES = 512
# Increase of the log loss as a share of that on plain images, which counts as at least the minimum.
# Standard: 3 on the solar cells, at most 0.33 on other sets; upside down: 0.03 to 0.25 on the solar
# cells (224 px, eight splits), 0.4 to 0.8 on flowers5.
_HARMFUL, _HARMLESS, _MIN_LOSS = 0.5, 0.3, 0.2
_BATCH = 64

Logits = Callable[[np.ndarray], np.ndarray]  # uint8 [N, H, W, 3] -> float32 [N, C]


def is_harmful(affinity: Affinity) -> bool:
    """Whether the loss clearly increases by more than half; clearly: by a standard error."""
    least = affinity.increase - affinity.error
    return least > _HARMFUL * max(affinity.plain, _MIN_LOSS)


def is_harmless(affinity: Affinity) -> bool:
    """Whether the loss clearly increases by less than three tenths."""
    most = affinity.increase + affinity.error
    return most < _HARMLESS * max(affinity.plain, _MIN_LOSS)


def choose(
    logits: Logits, plain: np.ndarray, val: LabelledSet, seed: int
) -> tuple[params.PolicyName, dict[str, Affinity]]:
    """The first of `CANDIDATES` that is not harmful.

    Harm needs clear evidence, so few images get what is best for photographs. Mirroring up and down
    is the other way round: it is added to 'flip' only where it is clearly harmless.

    Args:
        logits: the model, trained on plain images.
        plain: its logits of `val`, float32 [N, C].
        val: every label in [0, C); the first `MAX_IMAGES` are used.
        seed: of the random changes.

    Returns:
        The policy's name, and the affinity of each change that was tried ('up_down': every image
        upside down).
    """
    count = min(len(val), MAX_IMAGES)
    val, plain = val.take(np.arange(count)), plain[:count]
    temperature = calibration.fit_temperature(plain, val.labels)
    before = scores.losses(plain / temperature, val.labels)
    affinities: dict[str, Affinity] = {}

    def measure(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Affinity:
        progress.note(f'augmentation {name} on the frozen base')
        rows = range(0, count, _BATCH)
        changed = [logits(change(np.arange(i, min(i + _BATCH, count)))) for i in rows]
        answers = np.concatenate(changed)
        increases = scores.losses(answers / temperature, val.labels) - before
        error = float(increases.std(ddof=1) / math.sqrt(count)) if count > 1 else math.inf
        accuracy = float((answers.argmax(axis=1) == val.labels).mean())
        affinity = Affinity(accuracy, float(increases.mean()), error, float(before.mean()))
        return affinities.setdefault(name, affinity)

    def augment(policy: augmentation.Policy, rows: np.ndarray) -> np.ndarray:
        draws = augmentation.view_draws(seed, val.ids[rows], 1)
        images = augmentation.augment(val.values[rows], policy, draws)
        return tf.cast(tf.round(images), tf.uint8).numpy()

    chosen: params.PolicyName = CANDIDATES[-1]
    for name in CANDIDATES[:-1]:
        policy = augmentation.POLICIES[name]
        if not is_harmful(measure(name, functools.partial(augment, policy))):
            chosen = name
            break
    if chosen == 'flip':
        upside_down = measure('up_down', lambda rows: val.values[rows][:, ::-1])
        chosen = UP_DOWN if is_harmless(upside_down) else chosen
    return chosen, affinities


def resolve(
    settings: params.Training, logits: Logits, plain: np.ndarray, val: LabelledSet
) -> tuple[params.Training, AugmentationRecord]:
    """Replaces augmentation `auto` by a policy; `logits`, `plain` and `val` are those of `choose`.

    Returns:
        The settings, and the record of the choice.
    """
    if settings.augmentation != 'auto':
        return settings, AugmentationRecord(settings.augmentation, {})
    chosen, affinities = choose(logits, plain, val, settings.seed)
    logging.info('augmentation %s: %s', chosen, affinities)
    record = AugmentationRecord(chosen, affinities)
    return settings.model_copy(update={'augmentation': chosen}), record
