"""How large a request may be: its body, its batch, and the pixels that it makes us hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from thawline.pipeline.server import image_size
from thawline.pipeline.server.predict_json import BadRequest

IMAGE_BYTES = 'image_bytes'
EXAMPLES = 'examples'
PIXELS = 'pixels'
_JPEG_XL = (b'\xff\x0a', b'\x00\x00\x00\x0cJXL ')


class TooLarge(Exception):
    """A limit is passed; the message names it."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one request may ask for.

    Attributes:
        body: bytes.
        batch: rows.
        pixels: of all its images together, before they are resized.
    """

    body: int = 32 * 2**20
    batch: int = 256
    pixels: int = 50_000_000

    def check_body(self, size: int) -> None:
        """Raises TooLarge for more bytes than allowed."""
        if size > self.body:
            raise TooLarge(f'the body has {size:,} bytes or more; at most {self.body:,} are taken')

    def check_pixels(self, count: int) -> None:
        """Raises TooLarge for more pixels than allowed."""
        if count > self.pixels:
            raise TooLarge(
                f'the images have {count:,} pixels; a request may have {self.pixels:,} in all'
            )

    def check(self, inputs: Mapping[str, np.ndarray]) -> int:
        """Looks at the inputs of a signature and returns the number of rows.

        Raises:
            TooLarge: they pass a limit.
            BadRequest: an image is of a kind whose size cannot be told before it is decoded.
        """
        rows = max((len(value) for value in inputs.values() if value.ndim), default=0)
        if rows > self.batch:
            raise TooLarge(f'the batch has {rows:,} rows; at most {self.batch:,} are taken')
        if PIXELS in inputs:
            self.check_pixels(int(np.prod(inputs[PIXELS].shape[:-1], dtype=np.int64)))
        if IMAGE_BYTES in inputs:
            self._check_encoded(inputs[IMAGE_BYTES])
        if EXAMPLES in inputs:
            self._check_encoded(map(_image_of, inputs[EXAMPLES]))
        return rows

    def _check_encoded(self, images: Iterable[bytes]) -> None:
        total = 0
        for one in images:
            if one.startswith(_JPEG_XL):
                # TensorFlow might decode it, but no image that was trained on was one.
                raise BadRequest('JPEG XL is not taken')
            total += image_size.pixels(one) or 0
        self.check_pixels(total)


def _image_of(example: bytes) -> bytes:
    """The image in a serialized tf.Example; empty where there is none."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.example import example_pb2  # a process that serves has TensorFlow

    try:
        feature = example_pb2.Example.FromString(example).features.feature.get('image')
    except DecodeError:
        return b''
    values = feature.bytes_list.value if feature is not None else ()
    return values[0] if values else b''
