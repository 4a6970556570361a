"""Small images generated in code, and folders of them."""

from __future__ import annotations

import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image


def picture(seed: int = 0, size: tuple[int, int] = (24, 20), mode: str = 'RGB') -> Image.Image:
    """A smooth random picture (smooth, so that JPEG keeps it nearly as it is)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image's bytes in Pillow's format `kind`."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def decoded(data: bytes) -> np.ndarray:
    """int [H, W, 3] of encoded bytes."""
    return np.asarray(Image.open(io.BytesIO(data)).convert('RGB')).astype(int)


def png_header(width: int, height: int) -> bytes:
    """A well-formed PNG of this size whose pixel data is a few bytes: a decompression bomb."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack('>I', zlib.crc32(kind + body))
        return struct.pack('>I', len(body)) + kind + body + checksum

    head = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        [chunk(b'IHDR', head), chunk(b'IDAT', zlib.compress(b'\0' * 1000)), chunk(b'IEND', b'')]
    )


def class_folders(root: pathlib.Path, counts: dict[str, int], first_seed: int = 0) -> pathlib.Path:
    """Writes `counts[class]` PNGs into `root`/class; a class may be a nested path."""
    seed = first_seed
    for name, count in counts.items():
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            (folder / f'{index:03d}.png').write_bytes(encoded(picture(seed), 'PNG'))
            seed += 1
    return root
