"""Every pixel mode that Pillow reads, to 8-bit RGB.

Choices, each because it is what a person would see in a viewer:
- transparency is composited on white;
- more than 8 bits: all images of a set are scaled alike (`SampleDepth`), so that a dark image stays
  darker than a bright one.
One is for the sake of the served graph, which cannot do otherwise: RGB is taken as it is, whatever
colour profile comes with it. CMYK, which has no colours without one and is not served, is converted
by its profile.
"""

from __future__ import annotations

import io

from PIL import Image, ImageCms

from thawline.components.ingestion import deep_samples
from thawline.components.shared.sample_depth import SampleDepth

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB'))
_LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile('LAB'))


def to_rgb(image: Image.Image) -> Image.Image:
    """Returns a loaded image of any mode of 8 bits as mode 'RGB'."""
    if image.mode == 'LAB':
        return _convert_by_profile(image, _LAB)
    if image.has_transparency_data or image.mode in ('La', 'RGBa'):
        return _on_white(image)
    if image.mode == 'CMYK' and (profile := image.info.get('icc_profile')):
        try:
            return _convert_by_profile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # A profile that is broken or made for another mode: the plain conversion.
    return image if image.mode == 'RGB' else image.convert('RGB')


def deep_to_rgb(data: bytes, image: Image.Image, depth: SampleDepth) -> Image.Image:
    """The same of one that has more bits, read by Pillow.

    Raises:
        BadImage: its samples cannot be read.
    """
    pixels = depth.to_uint8(deep_samples.read(data, image))
    if deep_samples.is_inverted(image):
        pixels = 255 - pixels
    rgb = Image.fromarray(pixels).convert('RGB')
    if image.mode == 'RGBA':
        rgb.putalpha(image.getchannel('A'))
    return to_rgb(rgb)


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
    return Image.alpha_composite(white, rgba).convert('RGB')
