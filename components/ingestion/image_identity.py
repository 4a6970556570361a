"""Who an image is, whatever its name and place."""

from __future__ import annotations

import hashlib

from thawline.components.ingestion.boxes import PixelBox


def image_id(data: bytes) -> str:
    """The stable id of an image: 32 hex digits of the SHA-256 of the source's bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


def crop_id(picture_id: str, part: PixelBox) -> str:
    """The stable id of a part of a picture, whatever other parts are cut out of it.

    As with whole images, the same id means the same pixels: a part with other padding is another.
    """
    return image_id(f'{picture_id} {" ".join(map(str, part))}'.encode())
