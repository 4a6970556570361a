"""The samples of images that have more than 8 bits of them, as they are in the file.

16-bit CMYK and colours that were multiplied by their opacity come from design, not from cameras,
and have the full range: Pillow's own reading, in 8 bits, is enough for them.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.bad_image import BadImage
from thawline.components.shared.sample_depth import FULL

_PNG_DEPTH = 24  # the byte of the header
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANES, _EXTRA_SAMPLES = 258, 262, 284, 338  # TIFF tags
_WHITE_IS_ZERO, _SEPARATE, _MULTIPLIED = 0, 2, (1,)
_SWAPPED = {'B': 'L', 'L': 'B', 'N': 'B' if sys.byteorder == 'little' else 'L'}


def is_deep_png(data: bytes, image: Image.Image) -> bool:
    """Whether it is a PNG of 16 bits, which Pillow cuts where it has colour or opacity."""
    return image.format == 'PNG' and data[_PNG_DEPTH] == FULL


def are_in(data: bytes, image: Image.Image) -> bool:
    """Whether an image, opened, has samples of more than 8 bits."""
    if image.mode.startswith('I;16') or image.mode in ('I', 'F'):
        return True
    return is_deep_png(data, image) or _is_deep_tiff(image)


def read(data: bytes, image: Image.Image) -> np.ndarray:
    """The samples without opacity: [H, W] or [H, W, 3], uint16, int32 or float32.

    Args:
        data: the file.
        image: the same, loaded; `are_in` it.

    Raises:
        BadImage: they cannot be read.
    """
    if is_deep_png(data, image):
        return read_png(data)
    if not _is_deep_tiff(image):
        samples = np.asarray(image)
        # PGM says its range and Pillow scales it to 16 bits, in a wider type.
        return samples.astype(np.uint16) if _has_16_bits(image) else samples
    colour = np.asarray(image)[..., :3].astype(np.uint16)
    return colour << 8 | _low_bytes(data)[..., :3]


def is_inverted(image: Image.Image) -> bool:
    """Whether zero is white."""
    tags = getattr(image, 'tag_v2', None)
    return tags is not None and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _has_16_bits(image: Image.Image) -> bool:
    return image.mode.startswith('I;16') or image.format == 'PPM'


def read_png(data: bytes, channels: int = 3) -> np.ndarray:
    """The samples of a PNG of 16 bits: uint16 [H, W, C]; `channels` 0: those of the file."""
    import tensorflow as tf  # seconds, which whoever reads no such image need not wait

    try:
        samples: np.ndarray = tf.io.decode_png(data, channels, tf.uint16).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise BadImage(reasons.BROKEN, str(error.message).rpartition('} ')[2]) from None
    return samples


def _is_deep_tiff(image: Image.Image) -> bool:
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or image.mode not in ('RGB', 'RGBA'):
        return False
    is_multiplied = image.tag_v2.get(_EXTRA_SAMPLES) == _MULTIPLIED
    return image.tag_v2.get(_BITS_PER_SAMPLE, (8,))[0] > 8 and not is_multiplied


def _low_bytes(data: bytes) -> np.ndarray:
    """The low bytes of a colour TIFF of 16 bits: what Pillow keeps if it takes the wrong order."""
    with Image.open(io.BytesIO(data), formats=['TIFF']) as image:
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        if image.tag_v2.get(_PLANES) == _SEPARATE:
            raise BadImage(reasons.UNSUPPORTED, 'TIFF of 16 bits with a plane for each colour')
        image.tile = [tile._replace(args=_in_wrong_order(tile.args)) for tile in image.tile]
        return np.asarray(image)


def _in_wrong_order(args: Any) -> Any:
    if isinstance(args, str):
        return args[:-1] + _SWAPPED[args[-1]]
    return (_in_wrong_order(args[0]), *args[1:])
