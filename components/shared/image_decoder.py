"""From encoded bytes to upright 8-bit RGB, in TensorFlow's own operations.

The one decoder of the served graph. Ingestion takes it for what Pillow reads otherwise (PNG with
more than 8 bits or transparency) and for the orientation, and its own results are tested to be the
same for the rest. What cannot be decoded alike is refused by name. As in a viewer, transparency is
composited on white and the EXIF orientation is applied; colour profiles of RGB images are left
alone.

Tensors: an encoded image is a scalar string, pixels are uint8 [h, w, 3].
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from thawline.components.shared import exif_orientation, image_headers
from thawline.components.shared.sample_depth import FULL_DEPTH, SampleDepth

_WHITE = 255
# The starts of what people send although the model was trained on none of it, or not as it is.
_NAMES = {
    b'II*\0': 'TIFF', b'MM\0*': 'TIFF', b'\xff\x0a': 'JPEG XL', b'\0\0\0\x0cJXL ': 'JPEG XL',
    b'\0\0\0\x0cjP  ': 'JPEG 2000', b'\xff\x4f\xff\x51': 'JPEG 2000', b'8BPS': 'PSD',
    b'%PDF': 'PDF', b'P5': 'PGM', b'P6': 'PPM', b'<svg': 'SVG',
}  # fmt: skip
_BRANDS = {
    b'avif': 'AVIF', b'avis': 'AVIF', b'heic': 'HEIC', b'heix': 'HEIC', b'hevc': 'HEIC',
    b'mif1': 'HEIC', b'msf1': 'HEIC',
}  # fmt: skip
_EXIF_MARKS = b'Exif\0\0', b'eXIf', b'EXIF'
_SCALAR: Any = {'input_signature': [tf.TensorSpec([], tf.string)], 'autograph': False}
_DECODED = 'JPEG, PNG, GIF, BMP and WebP'


class Undecodable(Exception):
    """TensorFlow cannot decode an image; says why."""


def decode(encoded: tf.Tensor, depth: SampleDepth = FULL_DEPTH) -> tf.Tensor:
    """Decodes one JPEG, PNG, GIF or WebP (first frame), or BMP: string [] -> uint8 [h, w, 3].

    Args:
        encoded: the file.
        depth: ranges of samples of more than 8 bits; by default the full ones.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are none of these, or cannot be decoded as
            ingestion does; it says which format that is.
    """
    pixels = exif_orientation.upright(*decode_stored(encoded, depth))
    pixels.set_shape([None, None, 3])
    return pixels


def decode_stored(
    encoded: tf.Tensor, depth: SampleDepth = FULL_DEPTH
) -> tuple[tf.Tensor, tf.Tensor]:
    """The same as the file has it, and the EXIF orientation that is to be applied: int32 []."""
    pixels, tag = _stored(encoded, depth)
    pixels.set_shape([None, None, 3])
    return pixels, exif_orientation.orientation(tag)


def stored_pixels(data: bytes, depth: SampleDepth) -> np.ndarray:
    """The pixels of an image as its file has them, before `decode` turns them.

    Raises:
        Undecodable: it cannot be decoded.
    """
    try:
        pixels: np.ndarray = _compiled(depth)(data).numpy()
    except tf.errors.InvalidArgumentError as error:
        reason = str(error.message).partition('\n')[0].rpartition('}} ')[2]
        raise Undecodable(reason) from None
    return pixels


def orientation_of(data: bytes) -> int:
    """The EXIF orientation that `decode` follows, 1 to 8."""
    if not any(mark in data for mark in _EXIF_MARKS):
        return 1  # most images, without TensorFlow's call
    return int(_compiled_orientation()(data))


@functools.lru_cache(maxsize=4)
def _compiled(depth: SampleDepth) -> Callable[[bytes], tf.Tensor]:
    return tf.function(lambda encoded: _stored(encoded, depth)[0], **_SCALAR)


@functools.lru_cache(maxsize=1)
def _compiled_orientation() -> Callable[[bytes], tf.Tensor]:
    def read(encoded: tf.Tensor) -> tf.Tensor:
        tags = [
            lambda: image_headers.jpeg(encoded).exif,
            lambda: image_headers.png(encoded).exif,
            lambda: image_headers.webp(encoded).exif,
            lambda: tf.constant(''),
        ]
        return exif_orientation.orientation(tf.switch_case(tf.minimum(_kind(encoded), 3), tags))

    return tf.function(read, **_SCALAR)


def _kind(encoded: tf.Tensor) -> tf.Tensor:
    """0 to 5: JPEG, PNG, WebP, GIF, BMP, unknown."""
    starts = {n: image_headers.part(encoded, 0, n) for n in (2, 3, 4, 8)}
    is_webp = tf.equal(starts[4], b'RIFF') & tf.equal(image_headers.part(encoded, 8, 4), b'WEBP')
    kinds = [
        tf.equal(starts[3], b'\xff\xd8\xff'),
        tf.equal(starts[8], b'\x89PNG\r\n\x1a\n'),
        is_webp,
        tf.equal(starts[4], b'GIF8'),
        tf.equal(starts[2], b'BM'),
        tf.constant(True),
    ]
    return tf.argmax(tf.stack(kinds), output_type=tf.int32)


def _stored(encoded: tf.Tensor, depth: SampleDepth) -> tuple[tf.Tensor, tf.Tensor]:
    """Pixels as the file has them, and its EXIF."""
    table = tf.constant(depth.table())
    return tf.switch_case(
        _kind(encoded),
        [
            lambda: _jpeg(encoded),
            lambda: _png(encoded, table),
            lambda: _webp(encoded),
            lambda: (_gif(encoded), tf.constant('')),
            lambda: (_bmp(encoded), tf.constant('')),
            lambda: (_unknown(encoded), tf.constant('')),
        ],
    )


def _plain(encoded: tf.Tensor) -> tf.Tensor:
    pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    pixels.set_shape([None, None, 3])
    return pixels


def _refuse_if(refused: tf.Tensor, message: str | tf.Tensor) -> tf.Operation:
    return tf.debugging.Assert(~refused, [message])


def _jpeg(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    header = image_headers.jpeg(encoded)
    refusal = 'CMYK JPEG is not supported: its colours need a profile; send it as RGB'
    with tf.control_dependencies([_refuse_if(header.components == 4, refusal)]):
        return _plain(encoded), header.exif


def _png(encoded: tf.Tensor, table: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    header = image_headers.png(encoded)

    def opaque() -> tf.Tensor:
        return tf.cond(
            header.is_deep,
            lambda: _with_table(tf.io.decode_png(encoded, 3, tf.uint16), table),
            lambda: _plain(encoded),
        )

    def transparent() -> tf.Tensor:
        return tf.cond(header.is_deep, deep_transparent, lambda: _on_white(_rgba(encoded)))

    def deep_transparent() -> tf.Tensor:
        rgba = tf.io.decode_png(encoded, 4, tf.uint16)
        # Opacity has the full range whatever the camera uses: v * 255 / 65535 is v / 257, rounded.
        alpha = tf.cast((tf.cast(rgba[..., 3:], tf.int32) + 128) // 257, tf.uint8)
        return _on_white(tf.concat([_with_table(rgba[..., :3], table), alpha], 2))

    pixels = tf.cond(header.is_transparent, transparent, opaque)
    return pixels, header.exif


def _rgba(encoded: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_png(encoded, 4)


def _with_table(samples: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    return tf.gather(table, tf.cast(samples, tf.int32))


def _on_white(rgba: tf.Tensor) -> tf.Tensor:
    """Composites uint8 [h, w, 4], rounded as Pillow's `alpha_composite` is."""
    wide = tf.cast(rgba, tf.uint16)  # 255 * 255 + 127 fits
    colour, alpha = wide[..., :3], wide[..., 3:]
    mixed = colour * alpha + _WHITE * (255 - alpha)
    return tf.cast((mixed + 127) // 255, tf.uint8)


def _gif(encoded: tf.Tensor) -> tf.Tensor:
    header = image_headers.gif(encoded)
    refusal = 'this GIF is not supported: its first picture does not fill it; send it as PNG'
    with tf.control_dependencies([_refuse_if(~header.is_whole, refusal)]):
        return _plain(header.with_white)


def _bmp(encoded: tf.Tensor) -> tf.Tensor:
    refusal = 'this kind of BMP is not supported (24 or 32 bits, uncompressed, is); send it as PNG'
    with tf.control_dependencies([_refuse_if(~image_headers.is_plain_bmp(encoded), refusal)]):
        return _plain(encoded)


def _webp(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    header = image_headers.webp(encoded)
    refusal = 'animated WebP is not supported; send one picture'
    with tf.control_dependencies([_refuse_if(header.is_animated, refusal)]):
        image = tf.io.decode_webp(encoded, channels=0)[0]
    pixels = tf.cond(
        tf.equal(tf.shape(image)[2], 4), lambda: _on_white(image), lambda: image[..., :3]
    )
    return pixels, header.exif


def _unknown(encoded: tf.Tensor) -> tf.Tensor:
    name = tf.constant('')
    for start, kind in _NAMES.items():
        begins = tf.equal(image_headers.part(encoded, 0, len(start)), start)
        name = tf.where(begins, kind, name)
    brand = image_headers.part(encoded, 4, 8)
    for code, kind in _BRANDS.items():
        name = tf.where(tf.equal(brand, b'ftyp' + code), kind, name)
    known = f'; supported are {_DECODED}'
    what = tf.where(tf.equal(name, ''), 'Unknown image file format', name + ' is not supported')
    with tf.control_dependencies([_refuse_if(tf.constant(True), what + known)]):
        return tf.zeros([1, 1, 3], tf.uint8)
