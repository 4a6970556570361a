"""Mirrored views of an image, over which a model averages its answer.

Test-time augmentation (Krizhevsky et al., "ImageNet classification with deep convolutional neural
networks", NeurIPS 2012, section 4.1). The head is linear, so the mean of the logits is the logits
of the mean features.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from thawline.components.backbones.params import Views

# Axes of [N, H, W, C] along which each further view is reversed.
_MIRRORED: dict[Views, Sequence[Sequence[int]]] = {
    'none': (),
    'flip': ([2],),
    'flips': ([2], [1], [1, 2]),
}


def stack_views(images: tf.Tensor, views: Views) -> tf.Tensor:
    """All views of all images, one batch for each view.

    Args:
        images: [N, H, W, C].
        views: none: the image alone; flip: also left to right; flips: both ways, and both at once.

    Returns:
        [V * N, H, W, C] of the same dtype, V being 1, 2 or 4.
    """
    mirrored = [tf.reverse(images, axes) for axes in _MIRRORED[views]]
    return tf.concat([images, *mirrored], 0) if mirrored else images


def view_count(views: Views) -> int:
    """How many there are of an image."""
    return 1 + len(_MIRRORED[views])


def average_views(outputs: tf.Tensor, views: Views) -> tf.Tensor:
    """The mean over the views of `stack_views`: [V * N, K] -> [N, K]."""
    count = view_count(views)
    if count == 1:
        return outputs
    return tf.reduce_mean(tf.reshape(outputs, [count, -1, outputs.shape[-1]]), 0)
