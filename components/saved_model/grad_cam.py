"""Which part of an image speaks for a class: Grad-CAM, inside the exported graph.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017: the channels of the last feature map, weighted by how much the logit grows
with each of them, added, and kept where they are positive. Behind a mean over the map and a linear
head, as here, that growth is the head's own weight over the number of places, so no gradient has to
be computed (Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016).
"""

from __future__ import annotations

import tensorflow as tf

from thawline.components.saved_model.network import Network


class GradCam:
    """The function behind the signature `explain`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        # Where the head sees earlier stages too, only its share of the last map is explained.
        self._weights = network.kernel[-network.channels :].T  # [C, K]

    def __call__(self, pixels: tf.Tensor, class_index: tf.Tensor) -> dict[str, tf.Tensor]:
        """Explains one class of each image.

        Args:
            pixels: uint8 [N, S, S, 3].
            class_index: int64 [N].

        Returns:
            `saliency`, float32 [N, h, w] in [0, 1]: 1 at the strongest place of each image, 0
            everywhere where nothing of the last feature map speaks for the class.
        """
        maps, _ = self._network(tf.cast(pixels, tf.float32))
        weights = tf.gather(self._weights, class_index)  # [N, K]
        heat = tf.nn.relu(tf.einsum('nhwk,nk->nhw', maps, weights))
        strongest = tf.reduce_max(heat, axis=[1, 2], keepdims=True)
        return {'saliency': tf.math.divide_no_nan(heat, strongest)}
