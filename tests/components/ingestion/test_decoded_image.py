"""What is computed of an image, and its record in the content store."""

from __future__ import annotations
