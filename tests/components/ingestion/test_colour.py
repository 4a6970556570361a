"""Samples of more than 8 bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from thawline.components.ingestion.colour import deep_to_uint8, to_rgb


@pytest.mark.parametrize(
    ('top', 'depth'), [(255, 8), (1000, 10), (4095, 12), (4096, 14), (65535, 16)]
)
def test_scaled_by_the_depth_in_use(top: int, depth: int) -> None:
    samples = np.array([[0, top // 2, top]], np.uint16)
    expected = np.rint(samples / (2**depth - 1) * 255).astype(np.uint8)
    np.testing.assert_array_equal(deep_to_uint8(samples), expected)


def test_floats() -> None:
    np.testing.assert_array_equal(deep_to_uint8(np.array([[0.0, 0.5, 1.0]])), [[0, 128, 255]])
    np.testing.assert_array_equal(deep_to_uint8(np.array([[0.0, 100.0]])), [[0, 100]])
    np.testing.assert_array_equal(deep_to_uint8(np.array([[-5.0, 0.0, 5.0]])), [[0, 128, 255]])
    np.testing.assert_array_equal(deep_to_uint8(np.array([[np.nan, 0.0, 1.0]])), [[0, 0, 255]])
    np.testing.assert_array_equal(deep_to_uint8(np.full((1, 2), np.inf)), [[0, 0]])


@given(hnp.arrays(st.sampled_from([np.uint16, np.int32, np.float32]), (3, 4)))
def test_any_samples_keep_their_order(samples: np.ndarray) -> None:
    grey = deep_to_uint8(samples)
    assert grey.dtype == np.uint8
    assert grey.shape == samples.shape
    if np.isfinite(samples).all():
        order = np.argsort(samples, axis=None, kind='stable')
        assert (np.diff(grey.ravel()[order].astype(int)) >= 0).all()


def test_white_is_zero_and_transparent_sample() -> None:
    image = Image.fromarray(np.array([[0, 65535]], np.uint16))
    assert to_rgb(image).getpixel((0, 0)) == (0, 0, 0)
    image.info['transparency'] = 0
    assert to_rgb(image).getpixel((0, 0)) == (255, 255, 255)
