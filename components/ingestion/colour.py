"""Every pixel mode that Pillow reads, to 8-bit sRGB.

Choices, each because it is what a person would see in a viewer:
- transparency is composited on white;
- embedded colour profiles are applied, except to grey images;
- more than 8 bits: samples are scaled by the depth they really use (8, 10, 12, 14 or 16 bit,
  the smallest that holds the largest sample), because 12-bit cameras write 16-bit files;
- 32-bit integers and floats that fit none of these ranges are stretched from minimum to maximum.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

_DEPTHS = (8, 10, 12, 14, 16)
_PHOTOMETRIC = 262  # TIFF tag; 0 means that white is zero
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB'))
_LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile('LAB'))


def to_rgb(image: Image.Image) -> Image.Image:
    """Returns a loaded image of any mode as mode 'RGB'."""
    if image.mode.startswith('I;16') or image.mode in ('I', 'F'):
        return _deep_to_rgb(image)
    if image.mode == 'LAB':
        return _convert_by_profile(image, _LAB)
    if image.has_transparency_data or image.mode in ('La', 'RGBa'):
        return _on_white(image)
    if image.mode in ('RGB', 'CMYK') and not is_srgb(image):
        try:
            return _convert_by_profile(image, _profile(image))
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # A profile that is broken or made for another mode: the plain conversion.
    return image if image.mode == 'RGB' else image.convert('RGB')


def is_srgb(image: Image.Image) -> bool:
    """Whether the image needs no colour conversion: sRGB, no profile, or grey."""
    if not image.info.get('icc_profile') or image.mode not in ('RGB', 'RGBA', 'CMYK'):
        return True
    try:
        return 'srgb' in ImageCms.getProfileDescription(_profile(image)).lower()
    except (ImageCms.PyCMSError, OSError, ValueError):
        return True  # Unreadable: nothing can be converted by it.


def _profile(image: Image.Image) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(image.info['icc_profile']))


def _convert_by_profile(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        profile,
        _SRGB,
        outputMode='RGB',
    )
    assert converted is not None  # None only for inPlace=True.
    return converted


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image if image.mode == 'RGBA' else image.convert('RGBA')
    white = Image.new('RGBA', rgba.size, (255, 255, 255, 255))
    flat = Image.alpha_composite(white, rgba).convert('RGB')
    if not is_srgb(image):
        flat.info['icc_profile'] = image.info['icc_profile']
        return to_rgb(flat)
    return flat


def _deep_to_rgb(image: Image.Image) -> Image.Image:
    samples = np.asarray(image)
    grey = deep_to_uint8(samples)
    tags = getattr(image, 'tag_v2', None)
    if tags is not None and tags.get(_PHOTOMETRIC) == 0:
        grey = 255 - grey
    transparent = image.info.get('transparency')
    if isinstance(transparent, int):
        grey = np.where(samples == transparent, np.uint8(255), grey)
    return Image.fromarray(grey).convert('RGB')


def deep_to_uint8(samples: np.ndarray) -> np.ndarray:
    """Scales grey samples of more than 8 bits.

    Args:
      samples: [H, W], any integer or float type. Non-finite values count as the minimum.

    Returns:
      uint8 [H, W].
    """
    values = samples.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = values[finite].min(), values[finite].max()
    values = np.where(finite, values, low)
    floating = np.issubdtype(samples.dtype, np.floating)
    if floating and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high < 2 ** _DEPTHS[-1]:
        depth = next(d for d in _DEPTHS if high < 2**d)
        low, high = 0.0, float(2**depth - 1)
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    return np.clip(np.rint((values - low) * (255 / (high - low))), 0, 255).astype(np.uint8)
