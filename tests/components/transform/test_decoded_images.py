"""Decoding outside Transform."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.components.ingestion.images import encoded, picture
from thawline.components.transform import decoded_images, preprocessing


def test_pixels_are_those_of_the_chain() -> None:
    raw = np.array([encoded(picture(i), 'PNG') for i in range(35)], dtype=object)
    pixels = decoded_images.decode(raw, 32, 'letterbox')
    assert pixels.shape == (35, 32, 32, 3) and pixels.dtype == np.uint8
    expected = preprocessing.pixels_from_bytes(tf.constant(list(raw)), 32, 'letterbox')
    np.testing.assert_array_equal(pixels, expected.numpy())
