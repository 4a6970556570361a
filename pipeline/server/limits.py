"""Limits on a request: size of the body, values in its JSON, rows, and pixels after decoding."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from thawline.pipeline.server import image_size
from thawline.pipeline.server.predict_json import BadRequest

IMAGE_BYTES = 'image_bytes'
EXAMPLES = 'examples'
PIXELS = 'pixels'
_ECHO = 60


class TooLarge(Exception):
    """The request exceeds a limit; the message names it."""


@dataclasses.dataclass(frozen=True)
class RequestLimits:
    """The most that one request may have.

    Attributes:
        body: bytes.
        values: in its JSON; each takes up to 70 bytes of memory, the text of one as few as 3.
        batch: rows.
        pixels: of all its images together, before resizing.
    """

    body: int = 32 * 2**20
    values: int = 1_000_000
    batch: int = 256
    pixels: int = 50_000_000

    def check_body(self, size: int) -> None:
        """Raises TooLarge for too many bytes."""
        if size > self.body:
            raise TooLarge(f'the body has at least {size:,} bytes; the limit is {self.body:,}')

    def check_values(self, body: bytes | bytearray) -> None:
        """Raises TooLarge for JSON of too many values; parses nothing.

        A value comes first in an array or object, or behind a comma. Empty ones count twice and
        commas in strings count too, of which base64 has none.
        """
        count = 1 + sum(map(body.count, b',[{'))
        if count > self.values:
            raise TooLarge(
                f'the JSON has about {count:,} values; the limit is {self.values:,} (images as '
                'base64 through serving_bytes are one value each)'
            )

    def check_pixels(self, count: int) -> None:
        """Raises TooLarge for too many pixels."""
        if count > self.pixels:
            raise TooLarge(
                f'the images have {count:,} pixels together; the limit is {self.pixels:,}'
            )

    def check(self, inputs: Mapping[str, np.ndarray]) -> int:
        """Checks the inputs of a signature and returns the number of rows.

        Raises:
            TooLarge: they exceed a limit.
            BadRequest: something else stands for a tf.Example.
        """
        rows = max((len(value) for value in inputs.values() if value.ndim), default=0)
        if rows > self.batch:
            raise TooLarge(f'the batch has {rows:,} rows; the limit is {self.batch:,}')
        if PIXELS in inputs:
            self.check_pixels(int(np.prod(inputs[PIXELS].shape[:-1], dtype=np.int64)))
        if IMAGE_BYTES in inputs:
            self._check_encoded(inputs[IMAGE_BYTES])
        if EXAMPLES in inputs:
            self._check_encoded(map(_image_in_example, inputs[EXAMPLES]))
        return rows

    def _check_encoded(self, images: Iterable[bytes]) -> None:
        self.check_pixels(sum(image_size.pixel_count(image) or 0 for image in images))


def _image_in_example(example: bytes) -> bytes:
    """The image in a serialized tf.Example; empty where there is none.

    Raises:
        BadRequest: it is no tf.Example; most often an encoded image, without the name of the
            signature that takes those.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.example import example_pb2  # the server has TensorFlow loaded

    if image_size.pixel_count(example):
        raise BadRequest(
            'examples: expecting serialized tf.Examples, but got an encoded image; add '
            '"signature_name": "serving_bytes" to the request, which takes encoded images'
        )
    try:
        feature = example_pb2.Example.FromString(example).features.feature.get('image')
    except DecodeError:
        # In the model's words, which would repeat all of it, several times over.
        raise BadRequest(
            f'Could not parse example input, value: {example[:_ECHO]!r}; expecting serialized '
            'tf.Examples'
        ) from None
    values = feature.bytes_list.value if feature is not None else ()
    return values[0] if values else b''
