"""From the bytes of any supported image to bytes that the served graph answers as the chain would.

Ingestion turns every image into a canonical one (`components.ingestion.canonical`): upright, 8 bit,
RGB, of bounded size. Most files are that already and stay as they are, byte for byte; for these a
look at the header is enough here, because the served graph decodes them anyway. Decoding them once
more to be sure, as ingestion does, would cost 2 to 4 ms an image of 500 x 375 pixels, which is as
much as the forward pass of a small base. What the graph then refuses is looked at again (`mended`).
"""

from __future__ import annotations

import io

import tensorflow as tf
from PIL import Image

from thawline.components.ingestion import canonical

# Chunks of a PNG that may say, behind the pixels, how the image is to be turned.
_TURNING_CHUNKS = (b'eXIf', b'tEXt', b'zTXt', b'iTXt')


def to_servable(data: bytes, max_side: int, max_pixels: int) -> bytes:
    """The image as the served graph is to see it: `data` itself where it is canonical already.

    Args:
        data: an encoded image.
        max_side: bound of the longest side, pixels.
        max_pixels: images with more are refused before decoding.

    Raises:
        BadImage: empty, no image, unsupported, truncated, broken, or too large.
    """
    if _is_canonical(data, max_side, max_pixels):
        return data
    return canonical.canonicalise(data, max_side, max_pixels).image


def repair(data: bytes, max_side: int, max_pixels: int) -> bytes:
    """The same for an image of a batch that the graph has refused: decoded in every way.

    Raises:
        BadImage: it was this one.
    """
    found = canonical.canonicalise(data, max_side, max_pixels)
    if found.unchanged and not _decodes(data):
        # Pillow forgives more than TensorFlow; what is encoded anew suits both.
        found = canonical.canonicalise(data, max_side, max_pixels, allow_unchanged=False)
    return found.image


def _is_canonical(data: bytes, max_side: int, max_pixels: int) -> bool:
    """Whether the header says so; anything unusual is left to `canonicalise`."""
    if not data.startswith((b'\xff\xd8\xff', b'\x89PNG')):
        return False
    try:
        with (
            canonical.quiet_pillow(),
            Image.open(io.BytesIO(data), formats=canonical.FORMATS) as image,
        ):
            if image.width * image.height > max_pixels or max(image.size) > max_side:
                return False
            return canonical.is_canonical(data, image, _orientation(data, image))
    except Exception:  # noqa: BLE001 - Pillow raises many kinds; canonicalise says which it was
        return False


def _orientation(data: bytes, image: Image.Image) -> int:
    """As EXIF has it; 0, which is none, where all pixels would have to be read to know."""
    if image.format != 'PNG':
        return canonical.orientation_of(image)
    pixels = data.find(b'IDAT')
    if any(data.find(kind, pixels) >= 0 for kind in _TURNING_CHUNKS):
        return 0
    # Pillow's method for PNGs decodes the image to look for a chunk behind it.
    found: int = Image.Image.getexif(image).get(canonical.ORIENTATION, 1)
    return found if found in range(1, 9) else 1


def _decodes(data: bytes) -> bool:
    try:
        tf.io.decode_image(data, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError:
        return False
    return True
