"""A base and images so small that a whole training takes a second; the same parts as real ones."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from thawline.components.backbones import backbone as backbone_lib
from thawline.components.backbones import classifier as model
from thawline.components.backbones.features import Features
from thawline.components.embedding import embeddings
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.embedding.feature_extractor import FeatureExtractor
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import recipe

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
    base(images(64, side=side).values.astype(np.float32), training=True)
    blocks = backbone_lib.sort_into_blocks(base, r'(block\d)_')
    return backbone_lib.Backbone('tiny', base, blocks, 'digest', 'random')


def _ids(n: int) -> np.ndarray:
    return np.array([f'{row:06d}'.encode() for row in range(n)], object)


def images(n: int, classes: int = 2, side: int = SIDE, seed: int = 0) -> LabelledSet:
    """n images, the classes in turn; a class is a mean colour under strong noise."""
    rng = np.random.default_rng([n, seed])
    labels = np.arange(n) % classes
    colours = np.array([[90, 128, 128], [160, 120, 128], [128, 128, 190], [128, 60, 90]])
    noise = rng.normal(0, 60, (n, side, side, 3))
    pixels = np.clip(colours[labels][:, None, None] + noise, 0, 255).astype(np.uint8)
    return LabelledSet(pixels, labels, _ids(n))


def classifier(classes: int = 2, dropout: float = 0.2, seed: int = 0) -> model.Classifier:
    """The base with a random head on it."""
    return model.build(backbone(seed), 'top', classes, dropout, seed)


def embedded(
    base: backbone_lib.Backbone,
    train: LabelledSet,
    val: LabelledSet,
    augmentation: str = 'light',
    kind: Features = 'top',
) -> recipe.FeatureSets:
    """Their features by the base, one augmented view of each train image."""
    views = 0 if augmentation == 'none' else 1
    side = base.model.input_shape[1]
    settings = EmbeddingSettings('tiny', 'random', side, kind, augmentation, views, 0)
    frozen = FeatureExtractor(settings, base)

    def of(split: str, data: LabelledSet) -> LabelledSet:
        if not len(data):
            shape = (0, settings.rows(split), frozen.dimension)
            return LabelledSet(np.empty(shape, np.float32), data.labels, data.ids)
        return frozen.embed(split, data)

    return recipe.FeatureSets(kind, of('train', train), of('val', val))


def write_embeddings(
    folder: pathlib.Path, spec: embeddings.Spec, splits: Mapping[str, LabelledSet]
) -> None:
    """The artifact of these features, as the Embedder writes it."""
    embeddings.write_spec(str(folder), spec)
    for split, data in splits.items():
        path = pathlib.Path(embeddings.split_folder(str(folder), split))
        path.mkdir()
        with tf.io.TFRecordWriter(str(path / f'{embeddings.FILE_PREFIX}-00000-of-00001')) as writer:
            for record in embeddings.encode(data):
                writer.write(record)


def weights_of(base: backbone_lib.Backbone) -> dict[str, np.ndarray]:
    """Every weight of the base by its path, copied."""
    return {v.path: np.array(v.value) for v in base.model.variables}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> dict[str, bool]:
    """Which weights are bitwise equal."""
    assert one.keys() == other.keys()
    return {path: one[path].tobytes() == other[path].tobytes() for path in one}
