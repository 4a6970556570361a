"""Random augmentation as one TensorFlow function of images and random numbers.

Tensor contract: images float32 [N, H, H, 3] in [0, 255] in and out; draws float32 [N, DRAWS] in
[0, 1). The caller makes the draws: the Trainer for a batch at once from (seed, step), so that a
resumed training sees the very same images; the Embedder for each image from its id.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from thawline.components.augmentation import draws as columns
from thawline.components.augmentation.policies import Policy


def _between(draws: tf.Tensor, column: int, low: float, high: float) -> tf.Tensor:
    """[N] values between low and high."""
    return low + draws[:, column] * (high - low)


def _sign(draws: tf.Tensor, column: int, enabled: bool) -> tf.Tensor:
    """[N] of +1 or -1 with equal probability, or all +1."""
    drawn = draws[:, column]
    return tf.where(drawn < 0.5, -1.0, 1.0) if enabled else tf.ones_like(drawn)


# What changes together where a policy is `single`.
_KINDS = (
    (columns.ANGLE,),
    (columns.ZOOM,),
    (columns.ASPECT,),
    (columns.RIGHT, columns.BELOW),
    (columns.SATURATION,),
    (columns.CONTRAST,),
    (columns.BRIGHTNESS,),
)


def _keep_one_kind(policy: Policy, draws: tf.Tensor) -> tf.Tensor:
    """Draws in which all kinds of change but one, or all, are neutral."""
    neutral = [0.5] * columns.DRAWS  # the middle of every range, but for zoom, is no change
    low, high = policy.zoom
    neutral[columns.ZOOM] = (1.0 - low) / (high - low) if high > low else 0.5
    chosen = tf.cast(draws[:, columns.CHOICE] * (len(_KINDS) + 1), tf.int32)  # the last: none
    kind_of = [len(_KINDS) + 1] * columns.DRAWS
    for kind, members in enumerate(_KINDS):
        for column in members:
            kind_of[column] = kind
    kept = tf.equal(tf.constant(kind_of)[None, :], chosen[:, None])
    for column in (columns.FLIP_X, columns.FLIP_Y, columns.TURN):
        kept = tf.logical_or(kept, tf.one_hot(column, columns.DRAWS, True, False)[None, :])
    return tf.where(kept, draws, tf.constant(neutral)[None, :])


def _projection(policy: Policy, draws: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """One affine map an image from output to input coordinates: float32 [N, 8].

    All geometry is one resampling, so that several changes blur no more than one.
    """
    angle = _between(draws, columns.ANGLE, -policy.rotation, policy.rotation) * (math.pi / 180)
    if policy.quarter_turns:
        angle += tf.floor(_between(draws, columns.TURN, 0.0, 4.0)) * (math.pi / 2)
    zoom = _between(draws, columns.ZOOM, *policy.zoom)
    stretch = tf.exp(_between(draws, columns.ASPECT, -policy.aspect, policy.aspect) / 2)
    across = zoom * stretch * _sign(draws, columns.FLIP_X, policy.flip_horizontal)
    down = zoom / stretch * _sign(draws, columns.FLIP_Y, policy.flip_vertical)
    # A crop is shown from anywhere in the image: the room that the zoom leaves is for moving.
    room = tf.maximum(0.0, 1.0 - zoom) / 2 + policy.shift
    right = _between(draws, columns.RIGHT, -1.0, 1.0) * room * side
    below = _between(draws, columns.BELOW, -1.0, 1.0) * room * side
    cosine, sine = tf.cos(angle), tf.sin(angle)
    centre = (side - 1.0) / 2
    a0, a1 = cosine * across, -sine * down
    b0, b1 = sine * across, cosine * down
    a2 = centre - a0 * centre - a1 * centre + right
    b2 = centre - b0 * centre - b1 * centre + below
    zeros = tf.zeros_like(angle)
    return tf.stack([a0, a1, a2, b0, b1, b2, zeros, zeros], axis=1)


def _resample(policy: Policy, draws: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    size = tf.shape(images)[1:3]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=_projection(policy, draws, tf.cast(size[0], tf.float32)),
        output_shape=size,
        fill_value=0.0,
        interpolation='BILINEAR',
        fill_mode='REFLECT',  # black corners would be a feature that only training has
    )


def _mirror(policy: Policy, draws: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Moves pixels and changes none."""
    for enabled, column, axis in (
        (policy.flip_horizontal, columns.FLIP_X, 2),
        (policy.flip_vertical, columns.FLIP_Y, 1),
    ):
        if enabled:
            turned = (draws[:, column] < 0.5)[:, None, None, None]
            images = tf.where(turned, tf.reverse(images, [axis]), images)
    return images


def _change_colours(policy: Policy, draws: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    def change(column: int, width: float) -> tf.Tensor:
        return _between(draws, column, -width, width)[:, None, None, None]

    if policy.saturation:
        grey = tf.image.rgb_to_grayscale(images)
        images = grey + (images - grey) * (1.0 + change(columns.SATURATION, policy.saturation))
    if policy.contrast:
        mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
        images = mean + (images - mean) * (1.0 + change(columns.CONTRAST, policy.contrast))
    if policy.brightness:
        images = images + change(columns.BRIGHTNESS, policy.brightness) * 255.0
    return tf.clip_by_value(images, 0.0, 255.0)


def augment(images: tf.Tensor, policy: Policy, draws: tf.Tensor) -> tf.Tensor:
    """Changes each image at random; an image's change depends on its own draws alone.

    Args:
        images: uint8 or float32 [N, H, H, 3] in [0, 255].
        policy: the ranges.
        draws: float32 [N, DRAWS], uniform in [0, 1); the same draws give the same images.

    Returns:
        float32 [N, H, H, 3] in [0, 255].
    """
    images = tf.cast(images, tf.float32)
    if policy.is_identity:
        return images
    if policy.single:
        draws = _keep_one_kind(policy, draws)
    moved = (_resample if policy.resamples else _mirror)(policy, draws, images)
    return tf.ensure_shape(_change_colours(policy, draws, moved), images.shape)


def compile_views(
    forward: Callable[[tf.Tensor], Any], side: int, policy: Policy
) -> tuple[tf.types.experimental.PolymorphicFunction, tf.types.experimental.PolymorphicFunction]:
    """`forward` of plain images, and of augmented ones, each with one trace.

    Args:
        forward: takes float32 [N, S, S, 3] in [0, 255].
        side: S.
        policy: of the augmentation.

    Returns:
        Functions of uint8 [N, S, S, 3]; the second takes draws too, float32 [N, DRAWS].
    """
    pixels = tf.TensorSpec([None, side, side, 3], tf.uint8)

    @tf.function(input_signature=[pixels], autograph=False)
    def plain(images: tf.Tensor) -> Any:
        return forward(tf.cast(images, tf.float32))

    @tf.function(
        input_signature=[pixels, tf.TensorSpec([None, columns.DRAWS], tf.float32)],
        autograph=False,
    )
    def augmented(images: tf.Tensor, draws: tf.Tensor) -> Any:
        return forward(augment(images, policy, draws))

    return plain, augmented
