"""Turns the bytes of any supported image into one canonical form, or says why it cannot.

Canonical: JPEG or PNG that decodes to RGB, 8 bit, upright, longest side at most a bound. A JPEG or
PNG that already is that stays as it is, byte for byte (grey ones too: decoders repeat the channel);
anything else is re-encoded, lossy sources as JPEG, lossless ones as PNG. Size limits are checked on
the header, before any pixel is decoded. Where the served graph decodes otherwise than Pillow, its
decoder (`shared/image_decoder.py`) is asked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import struct
import threading
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from thawline.components.ingestion import colour, deep_samples
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.bad_image import BadImage
from thawline.components.shared.sample_depth import FULL_DEPTH, SampleDepth, SampleUse

# What Pillow may try; nothing here ever starts another program (as EPS would). Importing a plugin
# registers it. MPO comes with JPEG: its plugin takes over when it sees several pictures.
PLUGINS = (
    JpegImagePlugin, PngImagePlugin, BmpImagePlugin, GifImagePlugin, WebPImagePlugin,
    TiffImagePlugin, AvifImagePlugin, PpmImagePlugin,
)  # fmt: skip
FORMATS = tuple(
    name for name in ('JPEG', 'PNG', 'BMP', 'DIB', 'GIF', 'WEBP', 'TIFF', 'AVIF', 'PPM')
    if name in Image.OPEN
)  # fmt: skip
SUPPORTED = 'JPEG, PNG, BMP, GIF, WebP, TIFF, MPO, AVIF, PPM and PGM'
JPEG_QUALITY = 95
LUMA_SIDE = 256
_LOSSY = frozenset({'JPEG', 'MPO', 'WEBP', 'AVIF'})
_ORIENTATION = 0x0112  # EXIF tag
# Formats whose orientation Pillow alone can read; in the others the served graph is followed.
_OWN_ORIENTATION = frozenset({'TIFF', 'AVIF'})
_SAMPLES_PER_PIXEL = 277  # TIFF tag
# Pillow's own bound of pixels answers first where it is lower; `max_pixels` is ours.
Image.MAX_IMAGE_PIXELS = None
_SIGNATURES = (
    (b'version https://git-lfs', reasons.LFS_POINTER, 'run "git lfs pull" to fetch the image'),
    (b'\x00\x00\x01\x00', reasons.UNSUPPORTED, 'ICO'),
    (b'8BPS', reasons.UNSUPPORTED, 'PSD'),
    (b'%!PS', reasons.UNSUPPORTED, 'PostScript'),
    (b'%PDF', reasons.UNSUPPORTED, 'PDF'),
    (b'\x00\x00\x00\x0cjP  ', reasons.UNSUPPORTED, 'JPEG 2000'),
    (b'\xff\x4f\xff\x51', reasons.UNSUPPORTED, 'JPEG 2000'),
    (b'\xff\x0a', reasons.UNSUPPORTED, 'JPEG XL'),
    (b'PK\x03\x04', reasons.NOT_AN_IMAGE, 'a ZIP archive'),
    (b'<svg', reasons.UNSUPPORTED, 'SVG'),
    (b'<!doctype html', reasons.NOT_AN_IMAGE, 'a web page, perhaps of a failed download'),
    (b'<html', reasons.NOT_AN_IMAGE, 'a web page, perhaps of a failed download'),
)


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
      data: an encoded image of one of `FORMATS`; the content counts, not the file's name.
      max_side: bound of the longest side, pixels; larger images are shrunk, none is enlarged.
      max_pixels: images with more are refused before decoding.
      depth: ranges of samples of more than 8 bits; by default the full ones.
      allow_unchanged: whether sources that are canonical already may be passed through.

    Raises:
      BadImage: empty, no image, unsupported, truncated, broken, or too large.
    """
    with opened(data, max_pixels) as image:
        return _canonicalise(data, image, max_side, depth, allow_unchanged)


def sample_use(data: bytes, max_pixels: int) -> SampleUse | None:
    """The range of an image's samples; None where they have 8 bits. Raises as `canonicalise`."""
    with opened(data, max_pixels) as image:
        if not deep_samples.are_in(data, image):
            return None
        image.load()
        return SampleUse.of(deep_samples.read(data, image))


@contextlib.contextmanager
def opened(data: bytes, max_pixels: int) -> Iterator[ImageFile.ImageFile]:
    """An image whose header is sound; what else is wrong with it is raised as BadImage."""
    _refuse_by_signature(data)
    with quiet_pillow():
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_size(image, max_pixels)
                yield image
        except UnidentifiedImageError:
            raise BadImage(*_what_else(data)) from None
        except MemoryError as error:
            raise BadImage(reasons.TOO_LARGE, str(error)) from None
        except BadImage:
            raise
        # Pillow's plugins raise these, and struct's and zlib's, for damaged files.
        except (OSError, SyntaxError, ValueError, EOFError, struct.error, TypeError,
                KeyError, IndexError, OverflowError, AttributeError, ArithmeticError,
                RuntimeError) as error:  # fmt: skip
            cut = 'truncated' in str(error).lower()
            raise BadImage(reasons.TRUNCATED if cut else reasons.BROKEN, _one_line(error)) from None


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise BadImage(reasons.BROKEN, f'{width} x {height} pixels')
    if width * height > max_pixels:
        raise BadImage(
            reasons.TOO_LARGE,
            f'{width} x {height} pixels, more than data.max_pixels: {max_pixels:,}',
        )


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


def _tiff_bands(data: bytes) -> int:
    """Samples of each pixel as a TIFF's header says; 0 where it cannot be read."""
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        file = io.BytesIO(data)
        file.seek(directory.next)
        directory.load(file)
        return int(directory.get(_SAMPLES_PER_PIXEL, 0))
    except (OSError, SyntaxError, ValueError, TypeError, struct.error):
        return 0


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


def _refuse_by_signature(data: bytes) -> None:
    if not data:
        raise BadImage(reasons.EMPTY_FILE, '0 bytes')
    start = data[:64].lstrip().lower()
    for signature, reason, detail in _SIGNATURES:
        if data.startswith(signature) or start.startswith(signature):
            raise BadImage(reason, _supported(detail) if reason == reasons.UNSUPPORTED else detail)
    if data[4:8] == b'ftyp' and data[8:12] in (b'heic', b'heix', b'hevc', b'mif1', b'msf1'):
        raise BadImage(reasons.UNSUPPORTED, _supported('HEIC'))


def _what_else(data: bytes) -> tuple[str, str]:
    head = data[:4096]
    if head.startswith((b'II*\x00', b'MM\x00*')) and (bands := _tiff_bands(data)) > 4:
        return reasons.UNSUPPORTED, f'TIFF of {bands} bands; at most 4 are read'
    known = (b'\xff\xd8\xff', b'\x89PNG', b'GIF8', b'BM', b'II*\x00', b'MM\x00*', b'RIFF')
    if (head.startswith(known) and not head.startswith(b'RIFF')) or b'WEBPVP8' in head[:16]:
        return reasons.BROKEN, 'starts like an image, but its header cannot be read'
    if all(byte >= 0x20 or byte in b'\t\n\r\f' for byte in head):
        return reasons.NOT_AN_IMAGE, 'text'
    return reasons.NOT_AN_IMAGE, f'content of no known kind; read are {SUPPORTED}'


def _supported(kind: str) -> str:
    return f'{kind}; read are {SUPPORTED}'


def _one_line(error: BaseException) -> str:
    return ' '.join(str(error).split())[:200] or type(error).__name__


_quiet_lock = threading.Lock()
_quiet_depth = 0
_quiet_filters: contextlib.ExitStack | None = None


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silences warnings while images are decoded.

    Pillow warns of every odd EXIF block and of large images, on which we decide ourselves.
    Filters belong to the whole process and Beam may decode in several threads, so the first one
    in sets them and the last one out restores them.
    """
    global _quiet_depth, _quiet_filters
    with _quiet_lock:
        if _quiet_depth == 0:
            _quiet_filters = contextlib.ExitStack()
            _quiet_filters.enter_context(warnings.catch_warnings())
            warnings.simplefilter('ignore')
        _quiet_depth += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if _quiet_depth == 0 and _quiet_filters is not None:
                _quiet_filters.close()
                _quiet_filters = None
