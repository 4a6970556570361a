"""The orientation of a photograph, read and applied in TensorFlow's own operations."""

from __future__ import annotations

import tensorflow as tf

from thawline.components.shared import image_headers

_ORIENTATION = 0x0112
_SHORT, _LONG = 3, 4
_ENTRY = 12  # bytes
_MOST_ENTRIES = 512


def orientation(tiff: tf.Tensor) -> tf.Tensor:
    """The tag 1 to 8 of a TIFF structure; 1 where there is none or it is damaged: int32 []."""
    return tf.cond(tf.equal(tiff, ''), lambda: tf.constant(1), lambda: _tag(tiff))


def _tag(tiff: tf.Tensor) -> tf.Tensor:
    head = image_headers.numbers(tiff, 0, 8)
    is_little = tf.equal(image_headers.part(tiff, 0, 4), b'II*\0')
    is_sound = is_little | tf.equal(image_headers.part(tiff, 0, 4), b'MM\0*')
    start = _value(head[4:8], is_little)
    count = _value(image_headers.numbers(tiff, start, 2), is_little)
    # As in Pillow, a list counts only if it is whole, with the four bytes at its end.
    is_sound &= start + 2 + _ENTRY * count + 4 <= tf.strings.length(tiff)
    entries = image_headers.numbers(tiff, start + 2, _ENTRY * _MOST_ENTRIES)
    entries = tf.reshape(entries, [_MOST_ENTRIES, _ENTRY])[:count]
    # Of a number of four bytes only a small one counts, so the low ones are enough.
    kinds = _value(entries[:, 2:4], is_little)
    values = tf.where(
        tf.equal(kinds, _LONG),
        _value(entries[:, 8:12], is_little),
        _value(entries[:, 8:10], is_little),
    )
    fits = (
        tf.equal(_value(entries[:, :2], is_little), _ORIENTATION)
        & (tf.equal(kinds, _SHORT) | tf.equal(kinds, _LONG))
        & tf.equal(_value(entries[:, 4:8], is_little), 1)
    )
    value = tf.reduce_max(tf.where(fits & is_sound, values, 1))
    return tf.where((value >= 1) & (value <= 8), value, 1)


def reversed_axes(turn: tf.Tensor) -> tf.Tensor:
    """1 for rows and for columns that run backwards in the upright image: int32 [2]."""
    backwards = tf.equal(turn, [[3, 4, 6, 7], [2, 3, 7, 8]])
    return tf.cast(tf.reduce_any(backwards, axis=1), tf.int32)


def upright(pixels: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors as the tag says: [h, w, c] -> the same, or [w, h, c]."""

    def turned() -> tf.Tensor:
        image = tf.cond(turn >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
        mirrored = tf.reduce_any(tf.equal(turn, [2, 3, 6, 7]))
        upside_down = tf.reduce_any(tf.equal(turn, [3, 4, 7, 8]))
        # tf.reverse, as a slice of step -1 takes eight times as long.
        image = tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)
        return tf.cond(upside_down, lambda: tf.reverse(image, [0]), lambda: image)

    return tf.cond(turn > 1, turned, lambda: pixels)


def _value(digits: tf.Tensor, is_little: tf.Tensor) -> tf.Tensor:
    """An unsigned number of the last axis; of four bytes at most 2^30, so that it can be added."""
    ordered = tf.where(is_little, digits[..., ::-1], digits)
    if digits.shape[-1] == 2:
        return ordered[..., 0] * 256 + ordered[..., 1]
    top = tf.minimum(ordered[..., 0], 63) * 2**24
    return top + ordered[..., 1] * 65536 + ordered[..., 2] * 256 + ordered[..., 3]
