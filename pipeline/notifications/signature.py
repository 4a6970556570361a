"""Signatures of webhooks by Standard Webhooks 1.0 (standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

PREFIX = 'whsec_'
_LEAST, _MOST = 24, 64  # bytes of a key, by the specification


def parse_keys(text: str) -> tuple[bytes, ...]:
    """The keys in a text of one or more secrets, separated by spaces.

    Each of them signs each request, so that a receiver can change keys without a gap.

    Raises:
        ValueError: one is invalid; the message does not repeat it.
    """
    parts = text.split()
    if not parts:
        raise ValueError('is empty')
    keys = []
    for number, part in enumerate(parts, 1):
        name = 'the secret' if len(parts) == 1 else f'secret {number} of {len(parts)}'
        if not part.startswith(PREFIX):
            raise ValueError(f'{name} does not begin with {PREFIX}')
        encoded = part.removeprefix(PREFIX)
        try:
            key = base64.b64decode(encoded + '=' * (-len(encoded) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f'{name} is not base64 after {PREFIX}') from None
        if not _LEAST <= len(key) <= _MOST:
            raise ValueError(f'{name} has {len(key)} bytes; it must have {_LEAST} to {_MOST}')
        keys.append(key)
    return tuple(keys)


def sign(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`, for the body exactly as it is sent."""
    signed = b'.'.join((message_id.encode(), str(timestamp).encode(), body))
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return ' '.join(f'v1,{base64.b64encode(digest).decode()}' for digest in digests)
