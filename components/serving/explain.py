"""Which part of an image speaks for a class: Grad-CAM, inside the exported graph.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017: the channels of the last feature map, weighted by how much the logit grows
with each of them, added, and kept where they are positive.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from components.training.model import Classifier


def never_empty(images: tf.Tensor) -> tf.Tensor:
    """Adds a black image to a batch of none: [N, H, W, 3] -> [max(N, 1), H, W, 3].

    TensorFlow's graph optimiser breaks BatchNorm after a convolution on a batch of nothing.
    """
    missing = tf.cast(tf.equal(tf.shape(images)[0], 0), tf.int32)
    return tf.pad(images, [[0, missing], [0, 0], [0, 0], [0, 0]])


class GradCam:
    """The function behind the signature `explain`."""

    def __init__(self, classifier: Classifier) -> None:
        """Shares the classifier's layers: later weights of theirs are used."""
        # Where the head sees earlier stages too, only its share of the last map is explained.
        self._maps = keras.Model(
            classifier.base.inputs[0],
            [classifier.backbone.model.outputs[0], classifier.base.outputs[0]],
        )
        self._head = classifier.head

    def __call__(self, pixels: tf.Tensor, class_index: tf.Tensor) -> dict[str, tf.Tensor]:
        """Explains one class of each image.

        Args:
            pixels: uint8 [N, S, S, 3].
            class_index: int64 [N].

        Returns:
            `saliency`, float32 [N, h, w] in [0, 1]: 1 at the strongest place of each image, 0
            everywhere where nothing of the last feature map speaks for the class.
        """
        n = tf.shape(pixels)[0]
        with tf.GradientTape() as tape:
            images = tf.cast(never_empty(pixels), tf.float32)
            tape.watch(images)
            maps, features = self._maps(images, training=False)
            logits = self._head(features)[:n]
            explained = tf.gather(logits, class_index, axis=1, batch_dims=1)
        slopes = tf.reduce_mean(tape.gradient(explained, maps)[:n], axis=[1, 2])  # [N, channels]
        heat = tf.nn.relu(tf.einsum('nhwc,nc->nhw', maps[:n], slopes))
        strongest = tf.reduce_max(heat, axis=[1, 2], keepdims=True)
        return {'saliency': tf.math.divide_no_nan(heat, strongest)}
