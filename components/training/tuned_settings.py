"""Settings that a Tuner chose, which override those of the configuration.

A value is named by its path in the section `training`, as in the YAML file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thawline.components.shared.errors import ConfigError
from thawline.components.training.params import Training

BLOCKS, RATE, DECAY = 'fine_tune.blocks', 'fine_tune.learning_rate', 'fine_tune.block_decay'
AUGMENTATION, CLASS_WEIGHTS = 'augmentation', 'class_weights'
NAMES = (BLOCKS, RATE, DECAY, AUGMENTATION, CLASS_WEIGHTS)
BASE = 'base'  # beside the settings: what they were tuned for


def base_name(backbone: str, image_size: int) -> str:
    """The value of `BASE`: settings tuned for one base at one size say nothing about another."""
    return f'{backbone} at {image_size} px'


def tunable_values(settings: Training, blocks: int) -> dict[str, Any]:
    """The values of `NAMES` in `settings`; the depth as a number of the base's `blocks`."""
    tune = settings.fine_tune
    return {
        BLOCKS: blocks if tune.blocks == 'all' else min(tune.blocks, blocks),
        RATE: tune.learning_rate,
        DECAY: tune.block_decay,
        AUGMENTATION: settings.augmentation,
        CLASS_WEIGHTS: settings.class_weights,
    }


def override(settings: Training, values: Mapping[str, Any], blocks: int) -> Training:
    """`settings` with those of `NAMES` that `values` holds; equal ones keep their own form.

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
        base: `base_name` of the training.

    Raises:
        ConfigError: there is none, or it was tuned for another base or size.
    """
    if config is None:
        raise ConfigError(
            'training.tuned is true, but there are no tuned settings yet; run thawline tune first'
        )
    import keras_tuner  # takes half a second, and only tuning needs it

    values = keras_tuner.HyperParameters.from_config(dict(config)).values
    if values.get(BASE) != base:
        raise ConfigError(
            f'training.tuned is true, but the settings were tuned for {values.get(BASE)}, not for '
            f'{base}; run thawline tune again'
        )
    return {name: values[name] for name in NAMES if name in values}
