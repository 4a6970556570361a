"""Opens the bytes of an image of any supported format, or says what else they are."""

from __future__ import annotations

import contextlib
import io
import struct
import threading
import warnings
from collections.abc import Iterator

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.bad_image import BadImage

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


@contextlib.contextmanager
def open_image(data: bytes, max_pixels: int) -> Iterator[ImageFile.ImageFile]:
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
