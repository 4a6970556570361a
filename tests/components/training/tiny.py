"""A base and images so small that a whole training takes a second; the same parts as real ones."""

from __future__ import annotations

import keras
import numpy as np

from components.backbones import backbone as backbone_lib
from components.training import dataset, model

SIDE = 16
BLOCKS = 4


def backbone(seed: int = 0, side: int = SIDE) -> backbone_lib.Backbone:
    """Four blocks of convolution (with bias), BatchNorm and ReLU; initial values from `seed`.

    The statistics of its BatchNorm layers are those of `images`, as pretrained ones fit their data.
    """
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((side, side, 3), name='pixels')
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    for i in range(BLOCKS):
        strides = 2 if i < 2 else 1
        x = keras.layers.Conv2D(8, 3, strides, padding='same', name=f'block{i}_conv')(x)
        # Momentum 0: one call in training mode sets the statistics to those of its batch.
        x = keras.layers.BatchNormalization(momentum=0.0, name=f'block{i}_bn')(x)
        x = keras.layers.ReLU(name=f'block{i}_relu')(x)
    base = keras.Model(pixels, x, name='tiny')
    base(images(64, side=side).pixels.astype(np.float32), training=True)
    blocks = backbone_lib.sort_into_blocks(base, r'(block\d)_')
    return backbone_lib.Backbone('tiny', base, blocks, 'digest', 'random')


def images(n: int, classes: int = 2, side: int = SIDE, seed: int = 0) -> dataset.ImageSet:
    """n images, the classes in turn; a class is a mean colour under strong noise."""
    rng = np.random.default_rng([n, seed])
    labels = np.arange(n) % classes
    colours = np.array([[90, 128, 128], [160, 120, 128], [128, 128, 190], [128, 60, 90]])
    noise = rng.normal(0, 60, (n, side, side, 3))
    pixels = np.clip(colours[labels][:, None, None] + noise, 0, 255).astype(np.uint8)
    return dataset.ImageSet(pixels, labels, np.arange(n).astype(object))


def classifier(classes: int = 2, dropout: float = 0.2, seed: int = 0) -> model.Classifier:
    """The base with a random head on it."""
    return model.build(backbone(seed), classes, dropout, seed)


def weights_of(base: backbone_lib.Backbone) -> dict[str, np.ndarray]:
    """Every weight of the base by its path, copied."""
    return {v.path: np.array(v.value) for v in base.model.variables}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> dict[str, bool]:
    """Which weights are bitwise equal."""
    assert one.keys() == other.keys()
    return {path: one[path].tobytes() == other[path].tobytes() for path in one}
