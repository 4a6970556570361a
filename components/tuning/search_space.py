"""What is searched: settings of the recipe as hyperparameters of KerasTuner, and which are tried.

The present settings are always in the space and always first. The other points are a Latin
hypercube (McKay et al., Technometrics 1979): with n of them each setting takes n values that are
spread evenly, where n random points leave gaps; five of them try each of the five augmentations
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras_tuner
import scipy.stats

from thawline.components.training import params, tuned_settings

RATES = (1e-4, 1e-3)
DECAYS = (0.7, 1.0)
DEPTHS = (0.25, 0.5, 1.0)  # of the base's blocks
AUGMENTATIONS = ('none', 'flip', 'light', 'standard', 'strong')
# Upside down is another picture for most: they are tried where the project already says otherwise.
WITHOUT_AN_UP = ('flips', 'any_orientation')


def space(settings: params.Training, blocks: int, base: str) -> keras_tuner.HyperParameters:
    """The space around `settings`; its defaults are the present values.

    Args:
        settings: of the project.
        blocks: how many the base has.
        base: what the values are found for; see `tuned.base_name`.
    """
    present = tuned_settings.tunable_values(settings, blocks)
    found = keras_tuner.HyperParameters()
    found.Fixed(tuned_settings.BASE, base)
    found.Choice(
        tuned_settings.CLASS_WEIGHTS,
        ['none', 'balanced'],
        default=present[tuned_settings.CLASS_WEIGHTS],
    )
    if settings.mode == 'probe':
        return found
    depths = {max(1, round(share * blocks)) for share in DEPTHS} | {present[tuned_settings.BLOCKS]}
    found.Choice(tuned_settings.BLOCKS, sorted(depths), default=present[tuned_settings.BLOCKS])
    for name, (low, high), sampling in (
        (tuned_settings.RATE, RATES, 'log'),
        (tuned_settings.DECAY, DECAYS, 'linear'),
    ):
        value = present[name]
        found.Float(name, min(low, value), max(high, value), sampling=sampling, default=value)
    names: list[str] = [*AUGMENTATIONS]
    if settings.augmentation in WITHOUT_AN_UP:
        names += WITHOUT_AN_UP
    elif settings.augmentation == 'auto':
        names[names.index('standard')] = 'auto'  # which it is, unless the images do not bear it
    elif settings.augmentation not in names:
        names.append(settings.augmentation)
    found.Choice(tuned_settings.AUGMENTATION, names, default=settings.augmentation)
    return found


def candidates(
    found: keras_tuner.HyperParameters, count: int, seed: int, class_weights: str
) -> list[dict[str, Any]]:
    """The points to try: the present one, then at most `count` - 1 others.

    Args:
        found: a `space`.
        count: at least 1.
        seed: of the points.
        class_weights: which of them the first phase chose; all but the present point have them.
    """
    present = {hp.name: hp.default for hp in found.space}
    chosen = {**present, tuned_settings.CLASS_WEIGHTS: class_weights}
    points = [present] if chosen == present else [present, chosen]
    sampled = [
        hp
        for hp in found.space
        if hp.name not in (tuned_settings.BASE, tuned_settings.CLASS_WEIGHTS)
    ]
    more = count - len(points)
    if sampled and more > 0:
        cube = scipy.stats.qmc.LatinHypercube(len(sampled), rng=seed).random(more)
        for row in cube:
            values = {
                hp.name: _plain(hp.prob_to_value(float(place)))
                for hp, place in zip(sampled, row, strict=True)
            }
            points.append({**chosen, **values})
    return points[:count]


def _plain(value: Any) -> Any:
    """Rates in two digits: a third one is far below what a few trials can tell apart."""
    return float(f'{value:.2g}') if isinstance(value, float) else value


def changes(values: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings that differ from the present ones."""
    return {
        n: values[n] for n in tuned_settings.NAMES if n in values and values[n] != present.get(n)
    }
