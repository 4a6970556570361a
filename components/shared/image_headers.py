"""What the headers of encoded images say, in TensorFlow's own operations.

Nothing here fails on damaged bytes: what cannot be read counts as absent, and the decoder that
comes next says what is wrong. EXIF is returned as the TIFF structure that it is, empty without one.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

_MOST_STEPS = 4096  # of a walk from block to block; sound files need a dozen
_EXIF = b'Exif\0\0'
# Markers of JPEG: the start of a frame (all but DHT, JPG and DAC), of a scan, the end.
_FRAMES = tuple(sorted(set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}))
_APP1, _SCAN, _END = 0xE1, 0xDA, 0xD9
_WITHOUT_LENGTH = (0x00, 0x01, *range(0xD0, 0xD9))
_GIF_EXTENSION, _GIF_CONTROL, _GIF_PICTURE = 0x21, 0xF9, 0x2C
_BMP_UNCOMPRESSED = 0


class Jpeg(NamedTuple):
    """`components`: of a pixel; 0 where there is no frame."""

    exif: tf.Tensor
    components: tf.Tensor


class Png(NamedTuple):
    """`is_deep`: has 16 bits; `is_transparent`: never false for one that is."""

    exif: tf.Tensor
    is_deep: tf.Tensor
    is_transparent: tf.Tensor


class Gif(NamedTuple):
    """`with_white`: the file, with white for the transparent colour of its first picture.

    `is_whole`: whether that picture fills the screen.
    """

    with_white: tf.Tensor
    is_whole: tf.Tensor


class Webp(NamedTuple):
    """`is_animated`: has several pictures."""

    exif: tf.Tensor
    is_animated: tf.Tensor


def part(text: tf.Tensor, start: tf.Tensor | int, count: tf.Tensor | int) -> tf.Tensor:
    """Up to `count` bytes from `start`; empty beyond the end."""
    start = tf.clip_by_value(start, 0, tf.strings.length(text))
    return tf.strings.substr(text, start, tf.maximum(count, 0))


def numbers(text: tf.Tensor, start: tf.Tensor | int, count: int) -> tf.Tensor:
    """`count` bytes from `start`, zeros beyond the end: int32 [count]."""
    raw = tf.io.decode_raw(part(text, start, count), tf.uint8, fixed_length=count)
    return tf.cast(raw, tf.int32)


def _is_among(value: tf.Tensor, values: tuple[int, ...]) -> tf.Tensor:
    return tf.reduce_any(tf.equal(value, values))


def jpeg(encoded: tf.Tensor) -> Jpeg:
    """Walks from marker to marker, as far as the first frame."""
    size = tf.strings.length(encoded)

    def goes_on(at: tf.Tensor, components: tf.Tensor, exif: tf.Tensor) -> tf.Tensor:
        return (at < size) & (components < 0)

    def step(
        at: tf.Tensor, components: tf.Tensor, exif: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        block = numbers(encoded, at, 10)
        marker, length = block[1], tf.maximum(block[2] * 256 + block[3], 2)
        # What lies between two markers is passed by, and so are bytes that fill up before one.
        is_marker = tf.equal(block[0], 0xFF) & tf.not_equal(marker, 0xFF)
        is_exif = (
            is_marker
            & tf.equal(marker, _APP1)
            & tf.equal(tf.strings.length(exif), 0)
            & tf.equal(part(encoded, at + 4, len(_EXIF)), _EXIF)
        )
        content = part(encoded, at + 4 + len(_EXIF), length - 2 - len(_EXIF))
        ends = is_marker & _is_among(marker, (_SCAN, _END))
        is_frame = is_marker & _is_among(marker, _FRAMES)
        skipped = tf.where(_is_among(marker, _WITHOUT_LENGTH), 2, 2 + length)
        return (
            at + tf.where(is_marker, skipped, 1),
            tf.where(is_frame, block[9], tf.where(ends, 0, -1)),
            tf.where(is_exif, content, exif),
        )

    _, components, exif = tf.while_loop(
        goes_on, step, (tf.constant(2), tf.constant(-1), tf.constant('')),
        maximum_iterations=_MOST_STEPS,
    )  # fmt: skip
    return Jpeg(exif, components)


def png(encoded: tf.Tensor) -> Png:
    """Its EXIF may come before or behind the pixels."""
    depth_and_colour = numbers(encoded, 24, 2)
    before_pixels = tf.strings.split(encoded, b'IDAT', 1)[:1]
    has_mask = tf.shape(tf.strings.split(before_pixels, b'tRNS', 1).flat_values)[0] > 1
    exif = tf.constant('')
    for order in (b'MM\0*', b'II*\0'):
        around = tf.strings.split(encoded, b'eXIf' + order, 1)
        found = order + tf.strings.reduce_join(around[1:])
        exif = tf.where(tf.shape(around)[0] > 1, found, exif)
    return Png(
        exif,
        tf.equal(depth_and_colour[0], 16),
        _is_among(depth_and_colour[1], (4, 6)) | has_mask,
    )


def webp(encoded: tf.Tensor) -> Webp:
    """Walks from chunk to chunk; only the extended format has EXIF or animations."""
    is_extended = tf.equal(part(encoded, 12, 4), b'VP8X')
    size = tf.where(is_extended, tf.strings.length(encoded), 0)

    def goes_on(at: tf.Tensor, exif: tf.Tensor) -> tf.Tensor:
        return (at < size) & tf.equal(tf.strings.length(exif), 0)

    def step(at: tf.Tensor, exif: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        length = _little_endian(numbers(encoded, at + 4, 4))
        is_exif = tf.equal(part(encoded, at, 4), b'EXIF')
        return at + 8 + length + length % 2, tf.where(is_exif, part(encoded, at + 8, length), exif)

    _, exif = tf.while_loop(
        goes_on, step, (tf.constant(12), tf.constant('')), maximum_iterations=_MOST_STEPS
    )
    starts = tf.equal(part(exif, 0, len(_EXIF)), _EXIF)
    exif = part(exif, tf.where(starts, len(_EXIF), 0), tf.strings.length(exif))
    is_animated = tf.bitwise.bitwise_and(numbers(encoded, 20, 1)[0], 2) > 0
    return Webp(exif, is_extended & is_animated)


def gif(encoded: tf.Tensor) -> Gif:
    """Walks from block to block, as far as the first picture."""
    size = tf.strings.length(encoded)
    table_bytes = _table_bytes(numbers(encoded, 10, 1)[0])

    def goes_on(at: tf.Tensor, in_data: tf.Tensor, control: tf.Tensor) -> tf.Tensor:
        return (at < size) & (in_data | tf.equal(numbers(encoded, at, 1)[0], _GIF_EXTENSION))

    def step(
        at: tf.Tensor, in_data: tf.Tensor, control: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        block = numbers(encoded, at, 2)
        is_control = ~in_data & tf.equal(block[1], _GIF_CONTROL)
        return (
            at + tf.where(in_data, 1 + block[0], 2),
            ~in_data | (block[0] > 0),
            tf.where(is_control, at + 3, control),
        )

    at, _, control = tf.while_loop(
        goes_on, step, (13 + table_bytes, tf.constant(False), tf.constant(-1)),
        maximum_iterations=_MOST_STEPS,
    )  # fmt: skip
    screen, picture = numbers(encoded, 6, 4), numbers(encoded, at, 10)
    is_whole = tf.reduce_all(tf.equal(picture[1:5], 0)) & tf.reduce_all(
        tf.equal(picture[5:9], screen)
    )
    own_bytes = _table_bytes(picture[9])
    table = tf.where(own_bytes > 0, at + 10, 13)
    options = numbers(encoded, control, 4)
    colour = 3 * options[3]
    is_transparent = (
        tf.equal(picture[0], _GIF_PICTURE)
        & (control > 0)
        & tf.equal(options[0] % 2, 1)
        & (colour < tf.where(own_bytes > 0, own_bytes, table_bytes))
    )
    with_white = _replaced(_replaced(encoded, control, b'\0'), table + colour, b'\xff' * 3)
    # A picture that is none is left to the decoder.
    is_whole |= tf.not_equal(picture[0], _GIF_PICTURE)
    return Gif(tf.where(is_transparent, with_white, encoded), is_whole)


def is_plain_bmp(encoded: tf.Tensor) -> tf.Tensor:
    """Whether a BMP is of the one kind that TensorFlow reads right: no palette, no packing."""
    bits = numbers(encoded, 28, 2)
    header = _little_endian(numbers(encoded, 14, 4))
    packing = _little_endian(numbers(encoded, 30, 4))
    is_direct = _is_among(bits[0], (24, 32)) & tf.equal(bits[1], 0)
    return is_direct & (header >= 40) & tf.equal(packing, _BMP_UNCOMPRESSED)


def _little_endian(four: tf.Tensor) -> tf.Tensor:
    """Of four bytes, at most 2^30, so that it can be added to."""
    low = four[0] + 256 * four[1] + 65536 * four[2]
    return low + tf.minimum(four[3], 63) * 2**24


def _table_bytes(flags: tf.Tensor) -> tf.Tensor:
    """Of the table of colours that flags of a GIF announce."""
    return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(2, flags % 8), 0)


def _replaced(text: tf.Tensor, at: tf.Tensor, new: bytes) -> tf.Tensor:
    rest = part(text, at + len(new), tf.strings.length(text))
    return tf.strings.join([part(text, 0, at), new, rest])
