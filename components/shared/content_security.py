"""Content security policies of pages that are one file."""

from __future__ import annotations

import base64
import hashlib


def source_hash(text: str) -> str:
    """The name of an inline style or script in a content security policy (W3C CSP Level 3)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
