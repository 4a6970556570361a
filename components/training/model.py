"""The classifier: pretrained base, pooling, dropout and a linear head.

Tensor contract: pixels float32 [N, H, W, 3] in [0, 255] in, logits float32 [N, C] out; the scaling
that a base wants is part of the base.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from components import backbones
from components.backbones.features import Features, feature_model


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A base with a head on it.

    Attributes:
        backbone: the base, with its blocks.
        features: pixels -> what the head sees, float32 [N, D]; shares the base's layers.
        model: pixels -> logits.
        head: the linear layer; its kernel is [D, C].
    """

    backbone: backbones.Backbone
    features: keras.Model
    model: keras.Model
    head: keras.layers.Dense

    def predict(self, pixels: np.ndarray, batch_size: int = 64) -> np.ndarray:
        """Logits of every image in order: uint8 [N, H, W, 3] -> float32 [N, C]."""
        rows = range(0, len(pixels), batch_size)
        return np.concatenate([self._forward(pixels[i : i + batch_size]).numpy() for i in rows])

    @functools.cached_property
    def _forward(self) -> Callable[[np.ndarray], tf.Tensor]:
        """Traced once; weights are variables, so that later values of theirs are used."""
        return tf.function(
            lambda images: self.model(tf.cast(images, tf.float32), training=False),
            input_signature=[tf.TensorSpec(self.model.input_shape, tf.uint8)],
        )

    def set_head(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        """Puts a fitted head in place: float32 [D, C] and [C]."""
        self.head.set_weights([kernel, bias])


class InferenceMode(keras.layers.Layer):
    """Calls a base as in inference, also while the model around it is trained.

    `base(x, training=False)` in a functional model is not enough: since Keras 3.15 the outer model
    passes its own `training` on to every layer and overrides the argument given there
    (`keras.src.models.functional.operation_fn`), so BatchNorm layers that are thawed would follow
    the statistics of each batch. Inside a layer's `call` the argument is kept.
    """

    def __init__(self, base: keras.Model) -> None:
        """`base` becomes a sublayer; which of its weights are trained is up to the caller."""
        super().__init__(name='base')
        self.base = base

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """float32 [N, H, W, 3] -> float32 [N, D]."""
        return self.base(images, training=False)


def build(
    backbone: backbones.Backbone,
    features: Features,
    classes: int,
    dropout: float,
    seed: int,
    updated_statistics: bool = False,
) -> Classifier:
    """Puts a head for `classes` classes on a base.

    The base is called as in inference: its BatchNorm layers then use their stored statistics also
    while their neighbours are trained (Keras guide "Transfer learning & fine-tuning"), and its own
    stochastic depth stays off.

    Args:
        features: what the head sees, as `components.backbones.features.feature_model` takes it.
        updated_statistics: call the base as in training instead, so that thawed BatchNorm layers
            normalise by each batch and follow its statistics.
    """
    inputs = keras.Input(backbone.model.input_shape[1:], name='pixels')
    base = feature_model(backbone, features)
    pooled = base(inputs) if updated_statistics else InferenceMode(base)(inputs)
    dropped = keras.layers.Dropout(dropout, seed=seed, name='dropout')(pooled)
    head = keras.layers.Dense(classes, name='head', dtype='float32')
    model = keras.Model(inputs, head(dropped), name='classifier')
    return Classifier(backbone, base, model, head)
