"""The classifier as it is served: weights are constants of one function that signatures share.

TensorFlow folds BatchNorm into the convolutions below it where weights are constants, which it
cannot do with variables: about a quarter less time an image on a CPU (benchmarks/serving.md), and
the same answers up to rounding. Each signature that is used has its own copy in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from thawline.components.backbones import constant_weights
from thawline.components.backbones.classifier import Classifier
from thawline.components.backbones.mirrored_views import average_views, stack_views

# A protocol buffer holds 2 GiB at most, the graph and its constants together.
MOST_CONSTANT_BYTES = 1_500_000_000


class Network(tf.Module):
    """Base and head in inference.

    Attributes:
        kernel, bias: of the head, float32 [D, C] and [C].
        channels: of the last feature map, whose means are the last columns of the features.
    """

    def __init__(self, classifier: Classifier, most_constant: int = MOST_CONSTANT_BYTES) -> None:
        """Takes the classifier's weights as they are now.

        Args:
            classifier: of images of one size.
            most_constant: bytes of weights from which on they stay variables, beside the graph.
        """
        super().__init__(name='network')
        maps = classifier.backbone.model.outputs[0]
        both = keras.Model(classifier.base.inputs[0], [maps, classifier.base.outputs[0]])
        size = sum(4 * variable.value.shape.num_elements() for variable in both.variables)
        self.channels: int = maps.shape[-1]
        # Numpy arrays, so that each function that is traced has constants of its own graph.
        self.kernel, self.bias = classifier.head.get_weights()
        self._views = classifier.views
        self._call = (
            constant_weights.inference_function(both)
            if size <= most_constant
            else _with_variables(both)
        )
        if size > most_constant:
            # The C++ loader of TensorFlow Serving finds variables that a module tracks; those of a
            # Keras 3 model are not among them.
            self.tracked = [variable.value for variable in both.variables]
        spec = tf.TensorSpec([None, *classifier.base.input_shape[1:]], tf.float32)
        self._base = tf.function(self._call, input_signature=[spec], autograph=False)

    def __call__(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The last feature map and all features.

        Args:
            images: float32 [N, S, S, 3] in [0, 255]; N may be 0.

        Returns:
            float32 [N, h, w, K] and float32 [N, D].
        """
        n = tf.shape(images)[0]
        maps, features = self._base(_never_empty(images))
        return maps[:n], features[:n]

    def head(self, features: tf.Tensor) -> tf.Tensor:
        """Logits: float32 [N, D] -> float32 [N, C]."""
        return tf.matmul(features, self.kernel) + self.bias

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        """Logits: float32 [N, S, S, 3] -> float32 [N, C]; N may be 0."""
        return self.logits_of_some(_never_empty(images))[: tf.shape(images)[0]]

    def logits_of_some(self, images: tf.Tensor) -> tf.Tensor:
        """The same, N at least 1: a graph without what other formats cannot follow.

        Padding by a number that the graph finds out leaves no known side of the images behind.
        """
        return self.head(
            average_views(self._base(stack_views(images, self._views))[1], self._views)
        )


def _never_empty(images: tf.Tensor) -> tf.Tensor:
    """Adds a black image to a batch of none: [N, H, W, 3] -> [max(N, 1), H, W, 3].

    TensorFlow's graph optimiser breaks BatchNorm after a convolution on a batch of nothing.
    """
    missing = tf.cast(tf.equal(tf.shape(images)[0], 0), tf.int32)
    return tf.pad(images, [[0, missing], [0, 0], [0, 0], [0, 0]])


def _with_variables(model: keras.Model) -> Callable[[tf.Tensor], Any]:
    return lambda images: model(images, training=False)
