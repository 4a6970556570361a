"""A base of five blocks, for tests in which any base would do: a real one has 50 layers and more.

Importing this module makes it known by its name; no list of bases has it. Processes that tests
start by `fork_server.command()` know it too, those of `fork_server.fresh_command()` do not.
"""

from __future__ import annotations

import keras

from thawline.components.backbones import families, registry

NAME = 'tiny'
BLOCKS = 5
CHANNELS = 16


def tiny(pixels: keras.KerasTensor, weights: str | None) -> keras.Model:
    """Convolution, BatchNorm and ReLU, five times; as the constructors in `families`."""
    del weights
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name='to_unit_range')(pixels)
    for i in range(BLOCKS):
        strides = 2 if i < BLOCKS - 1 else 1
        x = keras.layers.Conv2D(
            CHANNELS, 3, strides, padding='same', use_bias=False, name=f'block{i}_conv'
        )(x)
        x = keras.layers.BatchNormalization(name=f'block{i}_bn')(x)
        x = keras.layers.ReLU(name=f'block{i}_relu')(x)
    return keras.Model(pixels, x)


# Its constructor is found as those of all bases are.
setattr(families, NAME, tiny)
registry._BY_NAME[NAME] = registry.BackboneEntry(NAME, r'(block\d)_', weights=())
