"""The pixel count of encoded images, read from their headers.

For the formats that TensorFlow decodes and the pipeline ingests: JPEG, PNG, GIF, BMP and WebP.
Nothing is decoded, so that a small file with huge dimensions is refused before memory is allocated.
"""

from __future__ import annotations

import struct

# Start of frame: all but DHT (C4), JPG (C8) and DAC (CC) among C0 to CF.
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_END = frozenset({0xD9, 0xDA})


def pixel_count(encoded: bytes) -> int | None:
    """Pixels of all frames; None where the header gives no size."""
    try:
        if encoded.startswith(b'\xff\xd8\xff'):
            return _jpeg_pixels(encoded)
        if encoded.startswith(b'\x89PNG\r\n\x1a\n'):
            width, height = struct.unpack_from('>II', encoded, 16)
            return width * height
        if encoded.startswith(b'GIF8'):
            return _gif_pixels(encoded)
        if encoded.startswith(b'RIFF') and encoded[8:12] == b'WEBP':
            return _webp_pixels(encoded)
        if encoded.startswith(b'BM'):
            width, height = struct.unpack_from('<ii', encoded, 18)
            return abs(width) * abs(height)
    except (struct.error, IndexError):
        pass
    return None


def _jpeg_pixels(data: bytes) -> int | None:
    """The largest frame before the first scan."""
    at, largest = 2, None
    while True:
        at = data.find(b'\xff', at)  # decoders skip what is not a marker
        if at < 0:
            return largest
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker in _END:
            return largest
        if marker == 0 or marker in _ALONE:
            continue
        (length,) = struct.unpack_from('>H', data, at)
        if marker in _SOF:
            height, width = struct.unpack_from('>HH', data, at + 3)
            largest = max(largest or 0, height * width)
        at += max(length, 2)


def _webp_pixels(data: bytes) -> int | None:
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


def _gif_pixels(data: bytes) -> int:
    width, height, flags = struct.unpack_from('<HHB', data, 6)
    at = 13 + _colour_table_size(flags)
    frames = 0
    while at < len(data):
        kind = data[at]
        if kind == 0x21:  # an extension
            at = _skip_blocks(data, at + 2)
        elif kind == 0x2C:
            wide, high, local = struct.unpack_from('<HHB', data, at + 5)
            frames += wide * high
            at = _skip_blocks(data, at + 10 + _colour_table_size(local) + 1)
        else:
            break
    return max(width * height, frames)


def _colour_table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1
