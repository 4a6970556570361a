"""Boxes cut out of a picture, each an encoded image of its own."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile

from thawline.components.ingestion import decoding, deep_samples, image_identity, image_opening
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.bad_image import BadImage
from thawline.components.ingestion.boxes import Box
from thawline.components.ingestion.params import Boxes

# EXIF orientation -> the same of an array [H, W, ...]
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
    5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: np.rot90,
}  # fmt: skip


class Crop(NamedTuple):
    """A box that was cut out.

    Attributes:
        image: encoded; JPEG of lossy pictures, else lossless, of as many bits as the picture has.
        image_id: the same as long as picture and box are, padding included.
        picture_id: of the picture, by its bytes.
        source_format: Pillow's name of the picture's format.
    """

    image: bytes
    image_id: str
    picture_id: str
    source_format: str


def cut(
    data: bytes, boxes: Sequence[Box], settings: Boxes, max_pixels: int
) -> Iterator[Crop | BadImage]:
    """Decodes a picture once and cuts boxes out of it, upright.

    Args:
        data: the encoded picture.
        boxes: on it.
        settings: padding and least size.
        max_pixels: pictures with more are refused before they are decoded.

    Yields:
        For each box, in order, a crop, or why there is none.
    """
    picture_id = image_identity.image_id(data)
    try:
        with image_opening.open_image(data, max_pixels) as image:
            source_format = image.format or ''
            pixels, orientation = _pixels(data, image)
    except BadImage as bad:
        yield from [bad] * len(boxes)
        return
    lossy = decoding.is_lossy(data, source_format)
    height, width = pixels.shape[:2]
    for box in boxes:
        try:
            place = box.in_pixels((width, height), orientation)
            if place.least_side < settings.min_side:
                raise BadImage(
                    reasons.SMALL_BOX,
                    f'{place.right - place.left} x {place.bottom - place.top} pixels; '
                    f'data.boxes.min_side is {settings.min_side}',
                )
        except BadImage as bad:
            yield bad
            continue
        place = place.padded(settings.padding, (width, height))
        left, top, right, bottom = place
        yield Crop(
            _encode(np.ascontiguousarray(pixels[top:bottom, left:right]), lossy),
            image_identity.crop_id(picture_id, place),
            picture_id,
            source_format,
        )


def _pixels(data: bytes, image: ImageFile.ImageFile) -> tuple[np.ndarray, int]:
    """Upright pixels, [H, W] or [H, W, C], and the orientation by which they were turned."""
    image.load()
    orientation = decoding.orientation_of(data, image)
    if not deep_samples.are_in(data, image):
        pixels = np.asarray(decoding.to_rgb(data, image))
    elif deep_samples.is_deep_png(data, image):
        pixels = deep_samples.read_png(data, 0)  # with its opacity
    elif deep_samples.is_inverted(image) or image.mode == 'RGBA':
        kind = 'a TIFF of more than 8 bits that has opacity, or zero as white'
        raise BadImage(reasons.UNSUPPORTED, f'boxes in {kind}')
    else:
        pixels = deep_samples.read(data, image)
    return _TURNS[orientation](pixels), orientation


def _encode(pixels: np.ndarray, lossy: bool) -> bytes:
    if pixels.dtype == np.uint8:
        return decoding.encode(Image.fromarray(pixels), lossy)
    if pixels.dtype != np.uint16:
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, 'TIFF')
        return out.getvalue()
    import tensorflow as tf  # Pillow writes no colours of 16 bits

    encoded: bytes = tf.io.encode_png(pixels.reshape(*pixels.shape[:2], -1)).numpy()
    return encoded
