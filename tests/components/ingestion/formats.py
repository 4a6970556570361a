"""One small image in every coat that people send, by name."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageCms

from tests.components.ingestion.images import encoded, picture

ORIENTATION = 0x0112
SIZE = (40, 30)
_GREY, _RGB, _GREY_ALPHA, _RGBA = 0, 2, 4, 6  # colour types of PNG
_CHANNELS = {_GREY: 1, _RGB: 3, _GREY_ALPHA: 2, _RGBA: 4}


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack('>I4s', len(body), kind) + body + struct.pack('>I', zlib.crc32(kind + body))


def deep_png(samples: np.ndarray, colour: int, before: bytes = b'', behind: bytes = b'') -> bytes:
    """A PNG of 16 bits: uint16 [H, W, channels], with chunks before and behind its pixels."""
    height, width = samples.shape[:2]
    lines = b''.join(b'\0' + line.tobytes() for line in samples.astype('>u2'))
    header = struct.pack('>IIBBBBB', width, height, 16, colour, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        [chunk(b'IHDR', header), before, chunk(b'IDAT', zlib.compress(lines)), behind,
         chunk(b'IEND', b'')]
    )  # fmt: skip


def deep_samples(colour: int, bits: int = 12, seed: int = 0) -> np.ndarray:
    """Random samples of so many bits; opacity has all 16."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, 2**bits, (*SIZE[::-1], _CHANNELS[colour])).astype(np.uint16)
    if colour in (_GREY_ALPHA, _RGBA):
        samples[..., -1] = rng.integers(0, 2**16, SIZE[::-1])
    return samples


def deep_tiff(samples: np.ndarray, order: str = '<', extra: int | None = None) -> bytes:
    """An uncompressed TIFF of 16-bit colour: uint16 [H, W, channels]."""
    height, width, channels = samples.shape
    mark = b'II' if order == '<' else b'MM'
    bits = struct.pack(f'{order}{channels}H', *[16] * channels)
    pixels = samples.astype(f'{order}u2').tobytes()
    tags = {256: width, 257: height, 258: 0, 259: 1, 262: 2, 273: 0, 277: channels, 278: height,
            279: len(pixels)} | ({} if extra is None else {338: extra})  # fmt: skip
    body = 8 + 2 + 12 * len(tags) + 4
    tags |= {258: body, 273: body + len(bits)}
    entries = [_entry(order, tag, channels, value) for tag, value in tags.items()]
    head = struct.pack(f'{order}2sHI', mark, 42, 8) + struct.pack(f'{order}H', len(tags))
    return b''.join([head, *entries, bytes(4), bits, pixels])


def _entry(order: str, tag: int, channels: int, value: int) -> bytes:
    if tag == 258:
        return struct.pack(f'{order}HHII', tag, 3, channels, value)
    if tag == 338:
        return struct.pack(f'{order}HHIHH', tag, 3, 1, value, 0)
    return struct.pack(f'{order}HHII', tag, 4, 1, value)


def with_opacity() -> Image.Image:
    """Random opacity over the picture."""
    image = picture(1, SIZE, 'RGBA')
    opacity = np.random.default_rng(1).integers(0, 256, SIZE[::-1]).astype(np.uint8)
    image.putalpha(Image.fromarray(opacity))
    return image


def exif(orientation: int, order: str = '>') -> bytes:
    """An EXIF block in one of the byte orders, with a tag before and one behind."""
    block = Image.Exif()
    block.endian = order
    block[0x010F], block[ORIENTATION], block[0x0131] = 'a maker', orientation, 'a program'
    return block.tobytes()


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack('>BBH', 0xFF, marker, len(body) + 2) + body


def lossless() -> dict[str, bytes]:
    """What served bytes and ingestion must decode to the same pixels."""
    image, alpha, palette = picture(1, SIZE), with_opacity(), picture(1, SIZE).quantize(7)
    grey = image.convert('L')
    first = deep_samples(_GREY)[0, 0].astype('>u2').tobytes()
    colour = deep_samples(_RGB)[0, 0].astype('>u2').tobytes()
    return {
        'png': encoded(image, 'PNG'),
        'png grey': encoded(grey, 'PNG'),
        'png 1 bit': encoded(image.convert('1'), 'PNG'),
        'png alpha': encoded(alpha, 'PNG'),
        'png grey alpha': encoded(alpha.convert('LA'), 'PNG'),
        'png clear': encoded(Image.new('RGBA', SIZE, (200, 60, 60, 0)), 'PNG'),
        'png palette': encoded(palette, 'PNG'),
        'png palette of 2 bits': encoded(image.quantize(3), 'PNG', bits=2),
        'png palette clear': encoded(palette, 'PNG', transparency=2),
        'png palette of opacities': encoded(palette, 'PNG', transparency=bytes(range(0, 210, 30))),
        'png grey clear': encoded(grey, 'PNG', transparency=grey.getpixel((5, 5))),
        'png rgb clear': encoded(image, 'PNG', transparency=image.getpixel((5, 5))),
        'png 2 bits clear': _grey_of_2_bits(),
        'png 16': deep_png(deep_samples(_GREY), _GREY),
        'png 16 by Pillow': encoded(Image.fromarray(deep_samples(_GREY)[..., 0]), 'PNG'),
        'png 16 of full range': deep_png(deep_samples(_GREY, 16), _GREY),
        'png 16 alpha': deep_png(deep_samples(_GREY_ALPHA), _GREY_ALPHA),
        'png 16 rgb': deep_png(deep_samples(_RGB), _RGB),
        'png 16 rgba': deep_png(deep_samples(_RGBA), _RGBA),
        'png 16 clear': deep_png(deep_samples(_GREY), _GREY, chunk(b'tRNS', first)),
        'png 16 rgb clear': deep_png(deep_samples(_RGB), _RGB, chunk(b'tRNS', colour)),
        'png animated': encoded(image, 'PNG', save_all=True, append_images=[picture(2, SIZE)]),
        'png interlaced': _interlaced(),
        'gif': encoded(palette, 'GIF'),
        'gif clear': encoded(palette, 'GIF', transparency=2),
        'gif animated': encoded(palette, 'GIF', save_all=True, append_images=[picture(2, SIZE)]),
        'bmp': encoded(image, 'BMP'),
        'bmp 32': encoded(alpha, 'BMP'),
        'webp': encoded(image, 'WEBP', lossless=True),
        'webp alpha': encoded(alpha, 'WEBP', lossless=True, exact=True),
    }  # fmt: skip


def lossy() -> dict[str, bytes]:
    """Of these, ingestion encodes some anew."""
    image = picture(1, SIZE)
    display_p3 = ImageCms.ImageCmsProfile(ImageCms.createProfile('XYZ')).tobytes()
    return {
        'jpeg': encoded(image, 'JPEG', quality=95),
        'jpeg grey': encoded(image.convert('L'), 'JPEG', quality=95),
        'jpeg progressive, turned': encoded(
            image, 'JPEG', quality=95, progressive=True, exif=exif(6)
        ),
        'jpeg with a profile': encoded(image, 'JPEG', quality=95, icc_profile=display_p3),
        'jpeg without an end': encoded(image, 'JPEG', quality=95) + b'trailing',
        'mpo': encoded(image, 'MPO', quality=95, save_all=True, append_images=[picture(2, SIZE)]),
        'webp lossy': encoded(image, 'WEBP', quality=95),
        'webp lossy alpha': encoded(with_opacity(), 'WEBP', quality=95),
        'webp turned': encoded(image, 'WEBP', quality=95, exif=exif(8)),
    }


def refused() -> dict[str, tuple[bytes, str]]:
    """What ingestion reads and served bytes are not, with a word that the refusal must have."""
    image = picture(1, SIZE)
    return {
        'jpeg cmyk': (encoded(image.convert('CMYK'), 'JPEG'), 'CMYK JPEG'),
        'bmp palette': (encoded(image.quantize(9), 'BMP'), 'BMP'),
        'bmp grey': (encoded(image.convert('L'), 'BMP'), 'BMP'),
        'bmp 1 bit': (encoded(image.convert('1'), 'BMP'), 'BMP'),
        'webp animated': (
            encoded(image, 'WEBP', save_all=True, append_images=[picture(2, SIZE)]),
            'animated WebP',
        ),
        'tiff': (encoded(image, 'TIFF'), 'TIFF'),
        'tiff big endian': (deep_tiff(deep_samples(_RGB), '>'), 'TIFF'),
        'avif': (encoded(image, 'AVIF'), 'AVIF'),
        'ppm': (encoded(image, 'PPM'), 'PPM'),
        'pgm': (encoded(image.convert('L'), 'PPM'), 'PGM'),
    }


def unknown() -> dict[str, tuple[bytes, str]]:
    """What neither reads, with a word that the refusal of served bytes must have."""
    return {
        'heic': (b'\0\0\0\x18ftypheic' + bytes(50), 'HEIC'),
        'jpeg xl': (b'\xff\x0a' + bytes(50), 'JPEG XL'),
        'jpeg 2000': (b'\0\0\0\x0cjP  \r\n\x87\n' + bytes(50), 'JPEG 2000'),
        'text': (b'no image', 'Unknown image file format'),
        'nothing': (b'', 'Unknown image file format'),
    }


def _grey_of_2_bits() -> bytes:
    """Its clear value is that of the file, not of the pixels."""
    rows: Sequence[bytes] = [b'\0' + bytes([0b00011011] * 10)] * SIZE[1]
    header = struct.pack('>IIBBBBB', SIZE[0], SIZE[1], 2, _GREY, 0, 0, 0)
    clear = chunk(b'tRNS', struct.pack('>H', 1))
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        [chunk(b'IHDR', header), clear, chunk(b'IDAT', zlib.compress(b''.join(rows))),
         chunk(b'IEND', b'')]
    )  # fmt: skip


def _interlaced() -> bytes:
    """Adam7 by hand, which Pillow does not write."""
    pixels = np.asarray(picture(1, SIZE))
    lines = b''
    for top, left, down, right in (
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):  # fmt: skip
        lines += b''.join(b'\0' + line.tobytes() for line in pixels[top::down, left::right])
    header = struct.pack('>IIBBBBB', *SIZE, 8, _RGB, 0, 0, 1)
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        [chunk(b'IHDR', header), chunk(b'IDAT', zlib.compress(lines)), chunk(b'IEND', b'')]
    )
