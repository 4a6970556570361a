"""The search space: settings of the recipe as KerasTuner's hyperparameters, and the points to try.

The current settings are always in the space and always first. The other points are a Latin
hypercube (McKay et al., Technometrics 1979): n of them spread n values of each setting evenly,
where n random points leave gaps; five of them try each of the five augmentations once.
"""

from __future__ import annotations

from typing import Any

import keras_tuner
import scipy.stats

from thawline.components.training import params, tuned_settings

RATES = (1e-4, 1e-3)
DECAYS = (0.7, 1.0)
DEPTHS = (0.25, 0.5, 1.0)  # of the base's blocks
AUGMENTATIONS = ('none', 'flip', 'light', 'standard', 'strong')
# Most images are not the same upside down; tried only where the project already uses one of these.
ANY_ORIENTATION = ('flips', 'any_orientation')


def space(settings: params.Training, blocks: int, base: str) -> keras_tuner.HyperParameters:
    """The space around `settings`; its defaults are the current values.

    Args:
        settings: of the project.
        blocks: how many the base has.
        base: what the values are tuned for; see `tuned_settings.base_name`.
    """
    current = tuned_settings.tunable_values(settings, blocks)
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.Fixed(tuned_settings.BASE, base)
    hyperparameters.Choice(
        tuned_settings.CLASS_WEIGHTS,
        ['none', 'balanced'],
        default=current[tuned_settings.CLASS_WEIGHTS],
    )
    if settings.mode == 'probe':
        return hyperparameters
    depths = {max(1, round(share * blocks)) for share in DEPTHS} | {current[tuned_settings.BLOCKS]}
    hyperparameters.Choice(
        tuned_settings.BLOCKS, sorted(depths), default=current[tuned_settings.BLOCKS]
    )
    for name, (low, high), sampling in (
        (tuned_settings.RATE, RATES, 'log'),
        (tuned_settings.DECAY, DECAYS, 'linear'),
    ):
        value = current[name]
        hyperparameters.Float(
            name, min(low, value), max(high, value), sampling=sampling, default=value
        )
    names: list[str] = [*AUGMENTATIONS]
    if settings.augmentation in ANY_ORIENTATION:
        names += ANY_ORIENTATION
    elif settings.augmentation == 'auto':
        names[names.index('standard')] = 'auto'  # standard, unless that harms
    elif settings.augmentation not in names:
        names.append(settings.augmentation)
    hyperparameters.Choice(tuned_settings.AUGMENTATION, names, default=settings.augmentation)
    return hyperparameters


def candidates(
    hyperparameters: keras_tuner.HyperParameters, count: int, seed: int, class_weights: str
) -> list[dict[str, Any]]:
    """The points to try: the current one, then at most `count` - 1 others.

    Args:
        hyperparameters: a `space`.
        count: at least 1.
        seed: of the points.
        class_weights: the choice of the first phase, for all points but the current one.
    """
    current = {hp.name: hp.default for hp in hyperparameters.space}
    chosen = {**current, tuned_settings.CLASS_WEIGHTS: class_weights}
    points = [current] if chosen == current else [current, chosen]
    sampled = [
        hp
        for hp in hyperparameters.space
        if hp.name not in (tuned_settings.BASE, tuned_settings.CLASS_WEIGHTS)
    ]
    more = count - len(points)
    if sampled and more > 0:
        cube = scipy.stats.qmc.LatinHypercube(len(sampled), rng=seed).random(more)
        for row in cube:
            values = {
                hp.name: _round(hp.prob_to_value(float(place)))
                for hp, place in zip(sampled, row, strict=True)
            }
            points.append({**chosen, **values})
    return points[:count]


def _round(value: Any) -> Any:
    """Rates to two digits: a few trials cannot distinguish finer ones."""
    return float(f'{value:.2g}') if isinstance(value, float) else value
