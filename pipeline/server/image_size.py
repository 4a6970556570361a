"""How many pixels a decoder would have to make of encoded bytes, told from their headers alone.

The formats that TensorFlow decodes and the pipeline ingests: JPEG, PNG, GIF, BMP and WebP. Nothing
is decoded and little is read, so that an image of a few bytes which claims to be huge is known
before memory is asked for.
"""

from __future__ import annotations

import struct

# Start of frame: all but DHT (C4), JPG (C8) and DAC (CC) among C0 to CF.
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_END = frozenset({0xD9, 0xDA})


def pixels(encoded: bytes) -> int | None:
    """Pixels of the image, of all frames of an animation, or None where the header says none."""
    try:
        if encoded.startswith(b'\xff\xd8\xff'):
            return _jpeg(encoded)
        if encoded.startswith(b'\x89PNG\r\n\x1a\n'):
            width, height = struct.unpack_from('>II', encoded, 16)
            return width * height
        if encoded.startswith(b'GIF8'):
            return _gif(encoded)
        if encoded.startswith(b'RIFF') and encoded[8:12] == b'WEBP':
            return _webp(encoded)
        if encoded.startswith(b'BM'):
            width, height = struct.unpack_from('<ii', encoded, 18)
            return abs(width) * abs(height)
    except (struct.error, IndexError):
        pass
    return None


def _jpeg(data: bytes) -> int | None:
    """The largest frame before the first scan."""
    at, found = 2, None
    while True:
        at = data.find(b'\xff', at)  # decoders pass by what is no marker
        if at < 0:
            return found
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker in _END:
            return found
        if marker == 0 or marker in _ALONE:
            continue
        (length,) = struct.unpack_from('>H', data, at)
        if marker in _SOF:
            height, width = struct.unpack_from('>HH', data, at + 3)
            found = max(found or 0, height * width)
        at += max(length, 2)


def _webp(data: bytes) -> int | None:
    kind = data[12:16]
    if kind == b'VP8 ':
        width, height = struct.unpack_from('<HH', data, 26)
        return (width & 0x3FFF) * (height & 0x3FFF)
    if kind == b'VP8L':
        (bits,) = struct.unpack_from('<I', data, 21)
        return ((bits & 0x3FFF) + 1) * (((bits >> 14) & 0x3FFF) + 1)
    if kind == b'VP8X':
        sides = struct.unpack_from('<6B', data, 24)
        width, height = (int.from_bytes(bytes(s), 'little') + 1 for s in (sides[:3], sides[3:]))
        return width * height
    return None


def _gif(data: bytes) -> int:
    width, height, flags = struct.unpack_from('<HHB', data, 6)
    at = 13 + _table(flags)
    frames = 0
    while at < len(data):
        kind = data[at]
        if kind == 0x21:  # an extension
            at = _behind_blocks(data, at + 2)
        elif kind == 0x2C:
            wide, high, local = struct.unpack_from('<HHB', data, at + 5)
            frames += wide * high
            at = _behind_blocks(data, at + 10 + _table(local) + 1)
        else:
            break
    return max(width * height, frames)


def _table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _behind_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1
