"""Random augmentation of training images. The Trainer's alone: in Transform it would run once.

Tensor contract: images float32 [N, H, W, 3] in [0, 255] in and out. Every draw is a function of the
seed alone (stateless), so that a resumed training sees the very same images.
"""

from __future__ import annotations

import dataclasses
import math

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Policy:
    """Ranges of the random changes; zeros and False mean that nothing changes.

    Attributes:
        flip_horizontal, flip_vertical: mirrored with probability one half.
        quarter_turns: rotated by a random multiple of 90 degrees.
        rotation: largest rotation either way, in degrees.
        zoom: smallest and largest share of the side that is shown (below 1 crops).
        aspect: largest relative change of the aspect ratio.
        shift: largest move either way, as a share of the side.
        brightness: largest change either way, as a share of 255.
        contrast, saturation: largest relative change either way.
    """

    flip_horizontal: bool = False
    flip_vertical: bool = False
    quarter_turns: bool = False
    rotation: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    aspect: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    @property
    def is_identity(self) -> bool:
        """Whether the policy changes nothing."""
        return self == Policy()


POLICIES = {
    'none': Policy(),
    'light': Policy(
        flip_horizontal=True, rotation=5.0, zoom=(0.9, 1.0), brightness=0.05, contrast=0.1
    ),
    'standard': Policy(
        flip_horizontal=True,
        rotation=15.0,
        zoom=(0.75, 1.05),
        aspect=0.1,
        shift=0.05,
        brightness=0.1,
        contrast=0.2,
        saturation=0.2,
    ),
    'strong': Policy(
        flip_horizontal=True,
        rotation=30.0,
        zoom=(0.5, 1.1),
        aspect=0.25,
        shift=0.1,
        brightness=0.2,
        contrast=0.4,
        saturation=0.4,
    ),
    # For pictures without an up: inspection from above, microscopy, aerial views.
    'any_orientation': Policy(
        flip_horizontal=True,
        flip_vertical=True,
        quarter_turns=True,
        rotation=5.0,
        zoom=(0.9, 1.0),
        brightness=0.05,
        contrast=0.1,
    ),
}


def _uniform(seed: tf.Tensor, stream: int, n: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """[N] independent draws; `stream` keeps the draws of one seed apart."""
    folded = tf.random.experimental.stateless_fold_in(seed, stream)
    return tf.random.stateless_uniform([n], folded, low, high)


def _sign(seed: tf.Tensor, stream: int, n: tf.Tensor, enabled: bool) -> tf.Tensor:
    """[N] of +1 or -1 with equal probability, or all +1."""
    if not enabled:
        return tf.ones([n])
    return tf.where(_uniform(seed, stream, n, 0.0, 1.0) < 0.5, -1.0, 1.0)


def _projection(policy: Policy, seed: tf.Tensor, n: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """One affine map an image from output to input coordinates: float32 [N, 8].

    All geometry is one resampling, so that several changes blur no more than one.
    """
    angle = _uniform(seed, 1, n, -policy.rotation, policy.rotation) * (math.pi / 180)
    if policy.quarter_turns:
        angle += tf.floor(_uniform(seed, 2, n, 0.0, 4.0)) * (math.pi / 2)
    zoom = _uniform(seed, 3, n, *policy.zoom)
    stretch = tf.exp(_uniform(seed, 4, n, -policy.aspect, policy.aspect) / 2)
    across = zoom * stretch * _sign(seed, 5, n, policy.flip_horizontal)
    down = zoom / stretch * _sign(seed, 6, n, policy.flip_vertical)
    # A crop is shown from anywhere in the image: the room that the zoom leaves is for moving.
    room = tf.maximum(0.0, 1.0 - zoom) / 2 + policy.shift
    right = _uniform(seed, 7, n, -1.0, 1.0) * room * side
    below = _uniform(seed, 8, n, -1.0, 1.0) * room * side
    cosine, sine = tf.cos(angle), tf.sin(angle)
    centre = (side - 1.0) / 2
    a0, a1 = cosine * across, -sine * down
    b0, b1 = sine * across, cosine * down
    a2 = centre - a0 * centre - a1 * centre + right
    b2 = centre - b0 * centre - b1 * centre + below
    zeros = tf.zeros([n])
    return tf.stack([a0, a1, a2, b0, b1, b2, zeros, zeros], axis=1)


def _colour(policy: Policy, seed: tf.Tensor, n: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    def draw(stream: int, width: float) -> tf.Tensor:
        return _uniform(seed, stream, n, -width, width)[:, None, None, None]

    if policy.saturation:
        grey = tf.image.rgb_to_grayscale(images)
        images = grey + (images - grey) * (1.0 + draw(9, policy.saturation))
    if policy.contrast:
        mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
        images = mean + (images - mean) * (1.0 + draw(10, policy.contrast))
    if policy.brightness:
        images = images + draw(11, policy.brightness) * 255.0
    return tf.clip_by_value(images, 0.0, 255.0)


def augment(images: tf.Tensor, policy: Policy, seed: tf.Tensor) -> tf.Tensor:
    """Changes each image at random.

    Args:
        images: uint8 or float32 [N, H, H, 3] in [0, 255].
        policy: the ranges.
        seed: int [2]; the same seed gives the same images.

    Returns:
        float32 [N, H, H, 3] in [0, 255].
    """
    images = tf.cast(images, tf.float32)
    if policy.is_identity:
        return images
    n = tf.shape(images)[0]
    size = tf.shape(images)[1:3]
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=_projection(policy, seed, n, tf.cast(size[0], tf.float32)),
        output_shape=size,
        fill_value=0.0,
        interpolation='BILINEAR',
        fill_mode='REFLECT',  # black corners would be a feature that only training has
    )
    return tf.ensure_shape(_colour(policy, seed, n, moved), images.shape)
