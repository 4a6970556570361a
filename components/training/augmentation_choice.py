"""Which augmentation suits the images, measured with the head on the frozen base.

What helps photographs can ruin other pictures: a rotated photovoltaic cell has bent busbars, as no
cell has. The affinity of an augmentation tells (Gontijo-Lopes et al., "Tradeoffs in Data
Augmentation: An Empirical Study", ICLR 2021): what a model trained on plain images makes of
augmented ones of val. Measured with MobileNetV2 at 128 px, calibrated log loss on the images of val
as they are and changed, means of three splits:

| set         | plain | flip  | up-down half the time | light | standard |
|-------------|-------|-------|-----------------------|-------|----------|
| solar cells | 0.333 | 0.337 | 0.338                 | 0.796 | 1.487    |
| flowers5    | 0.419 | 0.424 | 0.567                 | 0.427 | 0.461    |
| trashnet    | 0.528 | 0.543 | 0.564                 | 0.589 | 0.665    |
| hymenoptera | 0.271 | 0.281 | 0.307                 | 0.275 | 0.292    |
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from thawline.components import augmentation
from thawline.components.shared import progress
from thawline.components.training import calibration, image_set, params, scores

# From what is best for photographs to what changes least.
CANDIDATES: tuple[params.PolicyName, ...] = ('standard', 'light', 'flip', 'none')
UP_DOWN: params.PolicyName = 'flips'  # instead of 'flip', where upside down is the same to it
MOST_IMAGES = 512
# Shares of the log loss on plain images, which counts as at least the smallest. What is compared
# with them is for standard 3 on the solar cells and at most 0.33 on other sets, and for upside down
# 0.03 to 0.25 on the solar cells (224 px, eight splits), 0.4 to 0.8 on flowers5.
_FOREIGN, _SAME, _SMALLEST = 0.5, 0.3, 0.2
_BATCH = 64

Logits = Callable[[np.ndarray], np.ndarray]  # uint8 [N, H, W, 3] -> float32 [N, C]


@dataclasses.dataclass(frozen=True)
class Affinity:
    """How much higher the log loss is on changed images.

    Attributes:
        accuracy: on the changed images.
        increase: mean over the images, in nats.
        error: its standard error; infinite for one image.
        plain: log loss on the same images as they are.
    """

    accuracy: float
    increase: float
    error: float
    plain: float

    @property
    def is_foreign(self) -> bool:
        """Beyond its standard error, the change costs more than half the log loss again."""
        return self.increase - self.error > _FOREIGN * max(self.plain, _SMALLEST)

    @property
    def is_same(self) -> bool:
        """The change and its standard error cost less than three tenths of the log loss."""
        return self.increase + self.error < _SAME * max(self.plain, _SMALLEST)


def choose(
    logits: Logits, plain: np.ndarray, val: image_set.ImageSet, seed: int
) -> tuple[params.PolicyName, dict[str, Affinity]]:
    """The first of `CANDIDATES` whose pictures are not foreign to the model.

    That needs clear evidence, so on few images it is what is best for photographs. Mirroring up and
    down is added to 'flip' the other way round: only where it clearly costs next to nothing.

    Args:
        logits: the model, as trained on plain images.
        plain: what it makes of `val`, float32 [N, C].
        val: every label in [0, C); of more than `MOST_IMAGES` the first are looked at.
        seed: of the random changes.

    Returns:
        The policy's name, and the affinity of all that was looked at ('up_down': every image
        mirrored).
    """
    count = min(len(val), MOST_IMAGES)
    val, plain = val.take(np.arange(count)), plain[:count]
    temperature = calibration.fit_temperature(plain, val.labels)
    before = scores.losses(plain / temperature, val.labels)
    found: dict[str, Affinity] = {}

    def look(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Affinity:
        progress.note(f'augmentation {name} on the frozen base')
        rows = range(0, count, _BATCH)
        changed = [logits(change(np.arange(i, min(i + _BATCH, count)))) for i in rows]
        answers = np.concatenate(changed)
        more = scores.losses(answers / temperature, val.labels) - before
        error = float(more.std(ddof=1) / math.sqrt(count)) if count > 1 else math.inf
        hits = answers.argmax(axis=1) == val.labels
        found[name] = Affinity(float(hits.mean()), float(more.mean()), error, float(before.mean()))
        return found[name]

    def augmented(policy: augmentation.Policy) -> Callable[[np.ndarray], np.ndarray]:
        def change(rows: np.ndarray) -> np.ndarray:
            # Number 0 is the plain image, as in the embeddings.
            draws = np.stack([augmentation.view_draws(seed, val.ids[row], 1) for row in rows])
            images = augmentation.augment(val.pixels[rows], policy, draws)
            return tf.cast(tf.round(images), tf.uint8).numpy()

        return change

    chosen: params.PolicyName = CANDIDATES[-1]
    for name in CANDIDATES[:-1]:
        if not look(name, augmented(augmentation.POLICIES[name])).is_foreign:
            chosen = name
            break
    if chosen == 'flip' and look('up_down', lambda rows: val.pixels[rows][:, ::-1]).is_same:
        chosen = UP_DOWN
    return chosen, found


def resolve(
    settings: params.Training, logits: Logits, plain: np.ndarray, val: image_set.ImageSet
) -> tuple[params.Training, dict[str, Any]]:
    """The settings with a policy in the place of `auto`.

    Args:
        settings: of the recipe.
        logits, plain, val: as `choose` takes them.

    Returns:
        The settings, and for the run's record the name of the policy and what was measured.
    """
    if settings.augmentation != 'auto':
        return settings, {'policy': settings.augmentation, 'measured': {}}
    chosen, found = choose(logits, plain, val, settings.seed)
    logging.info('augmentation %s: %s', chosen, found)
    measured = {name: dataclasses.asdict(one) for name, one in found.items()}
    record = {'policy': chosen, 'measured': measured}
    return settings.model_copy(update={'augmentation': chosen}), record
