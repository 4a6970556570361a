"""Small pictures with copies of them, for tests of near-duplicates."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage


def picture(number: int, side: int = 96) -> Image.Image:
    """A picture of its own: soft blobs in grey."""
    noise = np.random.default_rng(number).standard_normal((side, side))
    soft = ndimage.gaussian_filter(noise, side / 32)
    soft += ndimage.gaussian_filter(noise[::-1], side / 12)
    soft = (soft - soft.min()) / (soft.max() - soft.min())
    return Image.fromarray((soft * 200 + 20).astype(np.uint8))


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Saved as JPEG and read again."""
    file = io.BytesIO()
    image.save(file, 'JPEG', quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert('L')


def copies(image: Image.Image) -> dict[str, Image.Image]:
    """Near-duplicates of a picture, by what was done."""
    w, h = image.size
    return {
        'half': image.resize((w // 2, h // 2), Image.Resampling.BICUBIC),
        'double': image.resize((2 * w, 2 * h), Image.Resampling.BICUBIC),
        'jpeg 30': jpeg(image, 30),
        'cropped left and top': image.crop((round(0.05 * w), round(0.05 * h), w, h)),
        'cropped right': image.crop((0, 0, round(0.95 * w), h)),
        'darker': image.point(lambda value: value * 0.9),
        'brighter': image.point(lambda value: min(255, value * 1.1)),
        'mirrored': ImageOps.mirror(image),
        'upside down': ImageOps.flip(image),
        'mirrored, cropped, saved anew': jpeg(
            ImageOps.mirror(image).crop((0, round(0.05 * h), round(0.95 * w), h)), 40
        ),
    }


def turned(image: Image.Image) -> dict[str, Image.Image]:
    """A picture turned by quarters."""
    turns = Image.Transpose
    return {
        name: image.transpose(turn)
        for name, turn in (
            ('90', turns.ROTATE_90), ('180', turns.ROTATE_180), ('270', turns.ROTATE_270),
            ('90, mirrored', turns.TRANSPOSE), ('270, mirrored', turns.TRANSVERSE),
        )
    }  # fmt: skip
