"""One range for all images of a set."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from thawline.components.shared import sample_depth
from thawline.components.shared.sample_depth import DEPTHS, FULL_DEPTH, SampleDepth, SampleUse


def use(bits: int) -> SampleUse:
    return SampleUse(bits=bits)


def chosen(*bits: int, configured: int | None = None) -> sample_depth.DepthChoice:
    return sample_depth.choose(((f'{i}.png', use(b)) for i, b in enumerate(bits)), configured)


@pytest.mark.parametrize(
    ('top', 'bits'), [(255, 8), (256, 10), (1023, 10), (4095, 12), (4096, 14), (65535, 16)]
)
def test_an_image_uses_the_fewest_bits_that_hold_it(top: int, bits: int) -> None:
    assert SampleUse.of(np.array([[0, top // 2, top]], np.uint16)) == use(bits)


def test_hot_pixels_do_not_count() -> None:
    samples = np.full((100, 100), 4000, np.uint16)
    samples[0, :10] = 65535
    assert SampleUse.of(samples) == use(12)
    samples[0, :11] = 65535
    assert SampleUse.of(samples) == use(16)


@pytest.mark.parametrize('bits', DEPTHS)
def test_scaled_by_the_bits(bits: int) -> None:
    top = 2**bits - 1
    samples = np.array([[0, top // 2, top, min(2 * top, 65535)]], np.uint16)
    expected = np.minimum(np.rint(samples / top * 255), 255)
    np.testing.assert_array_equal(SampleDepth(bits).to_uint8(samples), expected)


def test_the_range_holds_all_but_a_stray_image() -> None:
    assert chosen(10, 12, 10, 12).depth.bits == 12
    assert chosen(*[12] * 8, 16).depth.bits == 16  # of a few images none is a stray one
    ten = chosen(*[12] * 9, 16)
    assert ten.depth.bits == 12 and 'such as 9.png' in ten.notes[1]
    assert chosen(*[12] * 9, 16, 16).depth.bits == 16
    assert chosen(*[12] * 297, 16, 16, 16).depth.bits == 12
    assert chosen(*[12] * 296, 16, 16, 16, 16).depth.bits == 16
    assert chosen().depth == FULL_DEPTH and not chosen().notes


def test_configured_bits_win_and_what_is_brighter_is_named() -> None:
    choice = chosen(12, 14, 14, configured=12)
    assert choice.depth.bits == 12
    assert 'data.depth' in choice.notes[0] and '2 of them, such as 1.png' in choice.notes[1]
    assert len(chosen(10, 12, configured=16).notes) == 1


def test_the_order_of_images_does_not_matter() -> None:
    uses = [(f'{i}', use(bits)) for i, bits in enumerate([16, *[12] * 20, 14])]
    assert sample_depth.choose(uses) == sample_depth.choose(reversed(uses))


@pytest.mark.parametrize(
    ('ranges', 'expected'),
    [
        ([(0.0, 0.2), (0.1, 0.9)], (0.0, 1.0)),
        ([(0.0, 100.0), (0.0, 3000.0)], (0.0, 4095.0)),  # raw integers
        ([(-5.0, 0.0), (-1.0, 7.0)], (-5.0, 7.0)),
        ([(0.0, 1e6), (3.0, 2e6)], (0.0, 2e6)),
    ],
)
def test_wide_samples_have_one_range_too(
    ranges: list[tuple[float, float]], expected: tuple[float, float]
) -> None:
    uses = [(str(i), SampleUse(0, *ends)) for i, ends in enumerate(ranges)]
    depth = sample_depth.choose(uses).depth
    assert (depth.low, depth.high) == expected and depth.bits == 16
    low, high = expected
    ends = depth.to_uint8(np.array([[low, (low + high) / 2, high, np.nan]], np.float32))
    assert ends.tolist() == [[0, 128, 255, 0]]


def test_not_a_number_has_no_range() -> None:
    assert SampleUse.of(np.full((2, 2), np.nan, np.float32)) == SampleUse()
    zeros = SampleDepth(low=2.0, high=2.0).to_uint8(np.full((2, 2), np.inf))
    assert zeros.tolist() == [[0, 0], [0, 0]]


@given(
    hnp.arrays(st.sampled_from([np.uint16, np.int32, np.float32]), (3, 4)), st.sampled_from(DEPTHS)
)
def test_any_samples_keep_their_order(samples: np.ndarray, bits: int) -> None:
    grey = SampleDepth(bits, -10.0, 1000.0).to_uint8(samples)
    assert grey.dtype == np.uint8 and grey.shape == samples.shape
    if np.isfinite(samples).all():
        order = np.argsort(samples, axis=None, kind='stable')
        assert (np.diff(grey.ravel()[order].astype(int)) >= 0).all()


def test_beside_an_artifact(tmp_path: pathlib.Path) -> None:
    assert sample_depth.read(str(tmp_path)) == FULL_DEPTH
    depth = SampleDepth(12, -1.0, 2.5)
    sample_depth.write(depth, str(tmp_path))
    assert sample_depth.read(str(tmp_path)) == depth
