"""Turns the bytes of any supported image into one canonical form, or says why it cannot.

Canonical: JPEG or PNG that decodes to RGB, 8 bit, upright, longest side at most a bound. A JPEG or
PNG that already is that stays as it is, byte for byte (grey ones too: decoders repeat the channel);
anything else is re-encoded, lossy sources as JPEG, lossless ones as PNG. Size limits are checked on
the header, before any pixel is decoded. Where the served graph decodes otherwise than Pillow, its
decoder (`shared/image_decoder.py`) is asked.
"""

from __future__ import annotations

import dataclasses
import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile, ImageOps

from thawline.components.ingestion import colour, deep_samples, image_opening
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.bad_image import BadImage
from thawline.components.shared.sample_depth import FULL_DEPTH, SampleDepth, SampleUse

JPEG_QUALITY = 95
LUMA_SIDE = 256
_LOSSY = frozenset({'JPEG', 'MPO', 'WEBP', 'AVIF'})
_ORIENTATION = 0x0112  # EXIF tag
# Formats whose orientation Pillow alone can read; in the others the served graph is followed.
_OWN_ORIENTATION = frozenset({'TIFF', 'AVIF'})


@dataclasses.dataclass(frozen=True)
class Canonical:
    """A canonical image.

    Attributes:
      image: JPEG or PNG bytes.
      height, width: of `image`, pixels.
      source_height, source_width: of the source, upright, before any shrinking.
      source_format: Pillow's name of the source's format, e.g. 'JPEG'.
      unchanged: whether `image` is the source, byte for byte.
      luma: uint8 [h, w], ITU-R 601 luma of the image shrunk to at most `LUMA_SIDE`.
    """

    image: bytes
    height: int
    width: int
    source_height: int
    source_width: int
    source_format: str
    unchanged: bool
    luma: np.ndarray


class ImageSettings(NamedTuple):
    """What `canonicalise` takes beside the image."""

    max_side: int
    max_pixels: int
    depth: SampleDepth = FULL_DEPTH


def most_bytes(max_pixels: int) -> int:
    """Bytes that an image of so many pixels can have: four samples of 16 bit, and metadata."""
    return 8 * max_pixels + 2**24


def canonicalise(
    data: bytes,
    max_side: int,
    max_pixels: int,
    depth: SampleDepth = FULL_DEPTH,
    allow_unchanged: bool = True,
) -> Canonical:
    """Decodes `data` fully and returns its canonical form.

    Args:
      data: an encoded image, of a format by its content (`image_opening.FORMATS`).
      max_side: bound of the longest side, pixels; larger images are shrunk, none is enlarged.
      max_pixels: images with more are refused before decoding.
      depth: ranges of samples of more than 8 bits; by default the full ones.
      allow_unchanged: whether sources that are canonical already may be passed through.

    Raises:
      BadImage: empty, no image, unsupported, truncated, broken, or too large.
    """
    with image_opening.open_image(data, max_pixels) as image:
        return _canonicalise(data, image, max_side, depth, allow_unchanged)


def sample_use(data: bytes, max_pixels: int) -> SampleUse | None:
    """The range of an image's samples; None where they have 8 bits. Raises as `canonicalise`."""
    with image_opening.open_image(data, max_pixels) as image:
        if not deep_samples.are_in(data, image):
            return None
        image.load()
        return SampleUse.of(deep_samples.read(data, image))


def _canonicalise(
    data: bytes,
    image: ImageFile.ImageFile,
    max_side: int,
    depth: SampleDepth,
    allow_unchanged: bool,
) -> Canonical:
    width, height = image.size
    source_format = image.format or ''
    if source_format in ('JPEG', 'MPO') and max(width, height) > 2 * max_side:
        # The JPEG decoder can shrink by 2, 4 or 8 as it decodes: much faster, much less memory.
        image.draft(None, (max_side, max_side))
    image.load()
    orientation = orientation_of(data, image)
    turned = orientation in (5, 6, 7, 8)
    source_height, source_width = (width, height) if turned else (height, width)
    if (
        allow_unchanged
        and max(width, height) <= max_side
        and is_canonical(data, image, orientation)
    ):
        return Canonical(data, height, width, height, width, source_format, True, _luma(image))
    rgb = to_rgb(data, image, depth)
    if orientation != 1:
        rgb = ImageOps.exif_transpose(_with_orientation(rgb, orientation))
    if max(rgb.size) > max_side:
        scale = max_side / max(rgb.size)
        size = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
    return Canonical(
        encode(rgb, is_lossy(data, source_format)), rgb.height, rgb.width, source_height,
        source_width, source_format, False, _luma(rgb),
    )  # fmt: skip


def to_rgb(data: bytes, image: ImageFile.ImageFile, depth: SampleDepth = FULL_DEPTH) -> Image.Image:
    """As the file has it, not turned."""
    is_deep = deep_samples.is_deep_png(data, image)
    if image.format == 'PNG' and (is_deep or image.has_transparency_data):
        from thawline.components.shared import image_decoder

        try:
            return Image.fromarray(image_decoder.stored_pixels(data, depth))
        except image_decoder.Undecodable as error:
            if is_deep:
                raise BadImage(reasons.BROKEN, str(error)) from None
    if deep_samples.are_in(data, image):
        return colour.deep_to_rgb(data, image, depth)
    return colour.to_rgb(image)


def is_canonical(data: bytes, image: Image.Image, orientation: int) -> bool:
    if orientation != 1 or image.mode not in ('RGB', 'L'):
        return False
    if image.format in ('JPEG', 'MPO'):
        # Without its end marker, or with leading junk, decoders differ in what they accept.
        return data[:3] == b'\xff\xd8\xff' and data.rstrip(b'\x00')[-2:] == b'\xff\xd9'
    if image.format == 'PNG':
        is_deep = deep_samples.is_deep_png(data, image)  # Pillow says RGB of those as well.
        animated = getattr(image, 'n_frames', 1) > 1
        return not (is_deep or animated or 'transparency' in image.info)
    return False


def orientation_of(data: bytes, image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none."""
    if image.format not in _OWN_ORIENTATION:
        from thawline.components.shared import image_decoder

        return image_decoder.orientation_of(data)
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - a broken EXIF block must not cost a good image.
        return 1
    return value if value in range(1, 9) else 1


def _with_orientation(image: Image.Image, orientation: int) -> Image.Image:
    # Conversion may have lost the tag, and TIFF's loader applies and removes it by itself.
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    image.info['exif'] = exif.tobytes()
    return image


def is_lossy(data: bytes, source_format: str) -> bool:
    return source_format in _LOSSY and b'VP8L' not in data[:64]  # VP8L: lossless WebP


def encode(rgb: Image.Image, lossy: bool) -> bytes:
    """As JPEG or PNG, without any metadata."""
    out = io.BytesIO()
    clean = Image.frombytes('RGB', rgb.size, rgb.tobytes())  # Leaves all metadata behind.
    if lossy:
        clean.save(out, 'JPEG', quality=JPEG_QUALITY, subsampling='4:4:4')
    else:
        clean.save(out, 'PNG', compress_level=4)
    return out.getvalue()


def _luma(image: Image.Image) -> np.ndarray:
    grey = image.convert('L')
    grey.thumbnail((LUMA_SIDE, LUMA_SIDE), Image.Resampling.BOX)
    return np.asarray(grey)  # (h, w)
