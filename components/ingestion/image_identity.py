"""Who an image is, whatever its name and place."""

from __future__ import annotations

import hashlib


def image_id(data: bytes) -> str:
    """The stable id of an image: 32 hex digits of the SHA-256 of the source's bytes."""
    return hashlib.sha256(data).hexdigest()[:32]
