"""Encodes images for the served graph, so that its answers match those of the pipeline.

Ingestion turns every image into a canonical one (`components.ingestion.canonical`): upright, 8 bit,
RGB, of bounded size. Most files are canonical already and stay as they are, byte for byte; here
their header is enough to know, because the served graph decodes them anyway. Decoding them once
more, as ingestion does, would cost 2 to 4 ms an image of 500 x 375 pixels, as much as the forward
pass of a small base. Images that the graph refuses are checked again (`repair`).
"""

from __future__ import annotations

import io

import tensorflow as tf
from PIL import Image

from thawline.components.ingestion import decoding

# Chunks of a PNG that may give the orientation after the pixels.
_TURNING_CHUNKS = (b'eXIf', b'tEXt', b'zTXt', b'iTXt')


def to_servable(data: bytes, max_side: int, max_pixels: int) -> bytes:
    """The image for the served graph: `data` itself where it is canonical already.

    Args:
        data: an encoded image.
        max_side: of the longest side, pixels.
        max_pixels: images with more are refused before decoding.

    Raises:
        BadImage: empty, not an image, unsupported, truncated, broken, or too large.
    """
    if _is_canonical(data, max_side, max_pixels):
        return data
    return decoding.canonicalise(data, max_side, max_pixels).image


def repair(data: bytes, max_side: int, max_pixels: int) -> bytes:
    """The same for an image of a batch that the graph refused: decodes it in every way.

    Raises:
        BadImage: this image is the bad one.
    """
    result = decoding.canonicalise(data, max_side, max_pixels)
    if result.unchanged and not _decodes(data):
        # Pillow is more lenient than TensorFlow; a re-encoded image suits both.
        result = decoding.canonicalise(data, max_side, max_pixels, allow_unchanged=False)
    return result.image


def _is_canonical(data: bytes, max_side: int, max_pixels: int) -> bool:
    """Whether the image is canonical by its header; unusual ones are left to `canonicalise`."""
    if not data.startswith((b'\xff\xd8\xff', b'\x89PNG')):
        return False
    try:
        with (
            decoding.quiet_pillow(),
            Image.open(io.BytesIO(data), formats=decoding.FORMATS) as image,
        ):
            if image.width * image.height > max_pixels or max(image.size) > max_side:
                return False
            return decoding.is_canonical(data, image, _orientation(data, image))
    except Exception:  # noqa: BLE001 - Pillow raises many kinds; canonicalise tells them apart
        return False


def _orientation(data: bytes, image: Image.Image) -> int:
    """The EXIF orientation; 0, which is invalid, where only reading all pixels would tell."""
    if image.format != 'PNG':
        return decoding.orientation_of(image)
    pixels = data.find(b'IDAT')
    if any(data.find(kind, pixels) >= 0 for kind in _TURNING_CHUNKS):
        return 0
    # Pillow's method for PNGs decodes the image to look for a chunk after it.
    orientation: int = Image.Image.getexif(image).get(decoding.ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def _decodes(data: bytes) -> bool:
    try:
        tf.io.decode_image(data, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError:
        return False
    return True
