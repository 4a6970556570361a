"""The classifier: pretrained base, pooling, dropout and a linear head.

Tensor contract: pixels float32 [N, H, W, 3] in [0, 255] in, logits float32 [N, C] out; the scaling
of the pixels is part of the base.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Hashable
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from thawline.components import backbones
from thawline.components.backbones.features import Features, feature_model, split_features
from thawline.components.backbones.mirrored_views import average_views, stack_views
from thawline.components.backbones.params import Views

NetworkInput: TypeAlias = 'tf.Tensor | list[tf.Tensor]'


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A base with a head on it.

    Attributes:
        backbone: the base, with its blocks.
        model: pixels -> logits.
        head: the linear layer; its kernel is [D, C].
        dropout: the layer before it.
        base: pixels -> features for the head, float32 [N, D]; shares the backbone's layers.
        features, updated_statistics: as `build` takes them.
        views: mirrored views over which answers are averaged; not in training.
        compiled: what trainings of it compiled, by what that depends on; for the next one.
    """

    backbone: backbones.Backbone
    model: keras.Model
    head: keras.layers.Dense
    dropout: keras.layers.Dropout
    base: keras.Model
    features: Features
    updated_statistics: bool
    views: Views = 'none'
    compiled: dict[Hashable, Any] = dataclasses.field(default_factory=dict, compare=False)

    def predict(self, pixels: np.ndarray, batch_size: int = 64) -> np.ndarray:
        """Logits of every image in order: uint8 [N, H, W, 3] -> float32 [N, C]."""
        rows = range(0, len(pixels), batch_size)
        return np.concatenate([self._forward(pixels[i : i + batch_size]).numpy() for i in rows])

    @functools.cached_property
    def _forward(self) -> Callable[[np.ndarray], tf.Tensor]:
        """Traced once; uses the present values of the weights, which are variables."""
        return tf.function(
            lambda images: average_views(
                self.model(stack_views(tf.cast(images, tf.float32), self.views), training=False),
                self.views,
            ),
            input_signature=[tf.TensorSpec(self.model.input_shape, tf.uint8)],
            autograph=False,
        )

    def set_head(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        """Sets the weights of the head: float32 [D, C] and [C]."""
        self.head.set_weights([kernel, bias])

    def accept_any_size(self) -> None:
        """Lets `model` be called with images of any side; its own input shape does not change."""
        for part in (self.model, self.base):
            part.input_spec = keras.InputSpec(ndim=4, axes={-1: 3})

    def split(self, block_index: int) -> tuple[keras.Model, keras.Model]:
        """Splits `model` below a block; all layers and weights are shared.

        Args:
            block_index: 1 to len(blocks) - 1; the first block of the upper part.

        Returns:
            (lower, upper) as `components.backbones.features.split_features`, but upper to the
            logits, float32 [N, C].
        """
        lower, upper = split_features(self.backbone, self.features, block_index)
        inputs = [keras.Input(tensor.shape[1:]) for tensor in upper.inputs]
        pooled = _call_base(upper, inputs, self.updated_statistics)
        return lower, keras.Model(inputs, self.head(self.dropout(pooled)), name='classifier_upper')


class InferenceMode(keras.layers.Layer):
    """Calls a base as in inference, even while the model around it is trained.

    `base(x, training=False)` in a functional model is not enough: since Keras 3.15 the outer model
    passes its own `training` on to every layer and overrides the argument given there
    (`keras.src.models.functional.operation_fn`), so BatchNorm layers that are thawed would follow
    the statistics of each batch. Inside a layer's `call` the argument is kept.
    """

    def __init__(self, base: keras.Model) -> None:
        """`base` becomes a sublayer; the caller decides which of its weights are trained."""
        super().__init__(name='base')
        self.base = base

    def call(self, inputs: NetworkInput) -> tf.Tensor:
        """Returns float32 [N, D]."""
        return self.base(inputs, training=False)


def _call_base(
    base: keras.Model, inputs: NetworkInput, updated_statistics: bool
) -> keras.KerasTensor:
    return base(inputs) if updated_statistics else InferenceMode(base)(inputs)


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
        features: of the head, as `components.backbones.features.feature_model` takes it.
        updated_statistics: call the base as in training instead, so that thawed BatchNorm layers
            normalise by each batch and follow its statistics.
    """
    inputs = keras.Input(backbone.model.input_shape[1:], name='pixels')
    base = feature_model(backbone, features)
    pooled = _call_base(base, inputs, updated_statistics)
    before_head = keras.layers.Dropout(dropout, seed=seed, name='dropout')
    head = keras.layers.Dense(classes, name='head', dtype='float32')
    network = keras.Model(inputs, head(before_head(pooled)), name='classifier')
    return Classifier(backbone, network, head, before_head, base, features, updated_statistics)
