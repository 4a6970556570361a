"""Settings that a Tuner chose, and how they are laid over those of the configuration.

A value is known by its path in the section `training`, as in the YAML file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thawline.components.shared.errors import ConfigError
from thawline.components.training.params import Training

BLOCKS, RATE, DECAY = 'fine_tune.blocks', 'fine_tune.learning_rate', 'fine_tune.block_decay'
AUGMENTATION, CLASS_WEIGHTS = 'augmentation', 'class_weights'
NAMES = (BLOCKS, RATE, DECAY, AUGMENTATION, CLASS_WEIGHTS)
BASE = 'base'  # beside the settings: what they were found for


def base_name(backbone: str, image_size: int) -> str:
    """What `BASE` holds: settings found for one base at one size say nothing about another."""
    return f'{backbone} at {image_size} px'


def tunable_values(settings: Training, blocks: int) -> dict[str, Any]:
    """The values of `NAMES` in `settings`; depth as a number of the base's `blocks`."""
    tune = settings.fine_tune
    wanted = blocks if tune.blocks == 'all' else min(tune.blocks, blocks)
    return {
        BLOCKS: wanted,
        RATE: tune.learning_rate,
        DECAY: tune.block_decay,
        AUGMENTATION: settings.augmentation,
        CLASS_WEIGHTS: settings.class_weights,
    }


def override(settings: Training, values: Mapping[str, Any], blocks: int) -> Training:
    """`settings` with those of `NAMES` that `values` holds; equal ones keep their own wording.

    Raises:
        ValueError: a value is not valid there (pydantic's `ValidationError`).
    """
    present, raw = tunable_values(settings, blocks), settings.model_dump()
    for name in NAMES:
        if name in values and values[name] != present[name]:
            *path, key = name.split('.')
            section = raw
            for part in path:
                section = section[part]
            section[key] = values[name]
    return Training.model_validate(raw)


def read(config: Mapping[str, Any] | None, base: str) -> dict[str, Any]:
    """The values in a HyperParameters artifact.

    Args:
        config: of `keras_tuner.HyperParameters`; None where there is no artifact.
        base: as `base_name` gives it, of the training that is to take them.

    Raises:
        ConfigError: there is none, or it was found for another base or size.
    """
    if config is None:
        raise ConfigError(
            'training.tuned is true, but nothing was tuned yet; run thawline tune first'
        )
    import keras_tuner  # half a second, for those who tune alone

    values = keras_tuner.HyperParameters.from_config(dict(config)).values
    if values.get(BASE) != base:
        raise ConfigError(
            f'training.tuned is true, but the settings were tuned for {values.get(BASE)}, not for '
            f'{base}; run thawline tune again'
        )
    return {name: values[name] for name in NAMES if name in values}
