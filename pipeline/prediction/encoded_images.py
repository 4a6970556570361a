"""Encodes images for the served graph, so that its answers match those of the pipeline.

Ingestion turns every image into a canonical one (`components.ingestion.decoding`): upright, 8 bit,
RGB, of bounded size. Most files are canonical already and stay as they are, byte for byte; here
their header is enough to know, because the served graph decodes them anyway. Decoding them once
more, as ingestion does, would cost 2 to 4 ms an image of 500 x 375 pixels, as much as the forward
pass of a small base. Images that the graph refuses are checked again (`repair`).
"""

from __future__ import annotations

import io

import tensorflow as tf
from PIL import Image

from thawline.components.ingestion import decoding, image_opening
from thawline.components.ingestion.decoding import Canonical, ImageSettings


def to_servable(data: bytes, images: ImageSettings) -> bytes:
    """The image for the served graph: `data` itself where it is canonical already.

    Args:
        data: an encoded image.
        images: as those that the model learned from were prepared.

    Raises:
        BadImage: empty, not an image, unsupported, truncated, broken, or too large.
    """
    if _is_canonical(data, images):
        return data
    return decoding.canonicalise(data, *images).image


def repair(data: bytes, images: ImageSettings) -> Canonical:
    """The same for an image of a batch that the graph refused: decodes it in every way.

    Raises:
        BadImage: this image is the bad one.
    """
    result = decoding.canonicalise(data, *images)
    if result.unchanged and not _decodes(data):
        # A re-encoded image suits both Pillow and TensorFlow.
        result = decoding.canonicalise(data, *images, allow_unchanged=False)
    return result


def _is_canonical(data: bytes, images: ImageSettings) -> bool:
    """Whether the image is canonical by its header; unusual ones are left to `canonicalise`."""
    if not data.startswith((b'\xff\xd8\xff', b'\x89PNG')):
        return False
    try:
        with (
            image_opening.quiet_pillow(),
            Image.open(io.BytesIO(data), formats=image_opening.FORMATS) as image,
        ):
            pixels, side = image.width * image.height, max(image.size)
            if pixels > images.max_pixels or side > images.max_side:
                return False
            return decoding.is_canonical(data, image, decoding.orientation_of(data, image))
    except Exception:  # noqa: BLE001 - Pillow raises many kinds; canonicalise tells them apart
        return False


def _decodes(data: bytes) -> bool:
    """Whether TensorFlow decodes the image; Pillow is more lenient."""
    try:
        tf.io.decode_image(data, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError:
        return False
    return True
