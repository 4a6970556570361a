"""Who an image is, whatever its name and place."""

from __future__ import annotations

import hashlib

from thawline.components.ingestion.boxes import PixelBox


def image_id(data: bytes) -> str:
    """The stable id of an image: 32 hex digits of the SHA-256 of the source's bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


def crop_id(picture_id: str, box: PixelBox) -> str:
    """The stable id of a box on a picture: other boxes, and the padding, do not change it."""
    return image_id(f'{picture_id} {" ".join(map(str, box))}'.encode())
