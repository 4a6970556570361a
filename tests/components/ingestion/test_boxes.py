"""Boxes: their place in the pixels, and what is cut out there."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.components.ingestion.images import decoded, encoded, picture
from thawline.components.ingestion import crops, image_opening
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.bad_image import BadImage
from thawline.components.ingestion.boxes import Box, PixelBox
from thawline.components.ingestion.params import Boxes

PLAIN = Boxes(padding=0.0, min_side=1)


def cut(data: bytes, box: Box, settings: Boxes = PLAIN) -> crops.Crop:
    (crop,) = crops.cut(data, [box], settings, 10**6)
    assert isinstance(crop, crops.Crop), crop
    return crop


def problem(data: bytes, box: Box, settings: Boxes = PLAIN, most: int = 10**6) -> str:
    (bad,) = crops.cut(data, [box], settings, most)
    assert isinstance(bad, BadImage)
    return bad.reason


def turned(orientation: int) -> bytes:
    """A PNG that a viewer shows 40 wide and 20 high, its left upper quarter white, else black."""
    upright = np.zeros((20, 40, 3), np.uint8)
    upright[:10, :20] = 255
    exif = Image.Exif()
    exif[0x0112] = {6: 8, 8: 6}.get(orientation, orientation)  # the inverse of each
    image = Image.fromarray(upright)
    image.info['exif'] = exif.tobytes()
    stored = ImageOps.exif_transpose(image)
    exif[0x0112] = orientation
    return encoded(Image.fromarray(np.asarray(stored)), 'PNG', exif=exif.tobytes())


@pytest.mark.parametrize('orientation', range(1, 9))
def test_a_box_is_on_the_picture_as_viewers_show_it(orientation: int) -> None:
    data = turned(orientation)
    for size in ((1.0, 1.0), (40, 20), (80, 40), None):
        width, height = size or (40, 20)
        crop = cut(data, Box(0, 0, width / 2, height / 2, size))
        assert decoded(crop.image).shape == (10, 20, 3)
        assert decoded(crop.image).min() == 255


@pytest.mark.parametrize('orientation', [5, 6, 7, 8])
def test_a_size_of_the_stored_pixels_says_that_the_box_is_on_them(orientation: int) -> None:
    data = turned(orientation)
    stored = np.asarray(Image.open(io.BytesIO(data)))
    ys, xs = np.nonzero(stored[..., 0])
    box = Box(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1, (20, 40))
    crop = cut(data, box)
    assert decoded(crop.image).shape == (10, 20, 3)
    assert decoded(crop.image).min() == 255
    # It is the same box, whichever way it was written.
    assert crop.image_id == cut(data, Box(0, 0, 20, 10, (40, 20))).image_id


def test_a_picture_of_another_shape_is_refused() -> None:
    data = encoded(picture(size=(40, 20)), 'PNG')
    assert problem(data, Box(0, 0, 5, 5, (30, 30))) == reasons.OTHER_SHAPE


def test_boxes_end_at_the_border() -> None:
    data = encoded(picture(size=(40, 20)), 'PNG')
    crop = cut(data, Box(-10, 12, 10, 99))
    assert np.array_equal(decoded(crop.image), decoded(data)[12:, :10])
    for outside in (Box(40, 0, 50, 10), Box(-10, 0, 0, 10), Box(0, 20, 9, 30), Box(0, -9, 9, -1)):
        assert problem(data, outside) == reasons.BOX_OUTSIDE


@pytest.mark.parametrize(
    ('box', 'flaw'),
    [
        (Box(5, 5, 5, 9), reasons.EMPTY_BOX),
        (Box(5, 5, 9, 4), reasons.EMPTY_BOX),
        (Box(1.0, 0, 1.5, 1, (1, 1)), reasons.BOX_OUTSIDE),
        (Box(-2, 0, 0, 1), reasons.BOX_OUTSIDE),
        (Box(0.5, 0.5, 1.5, 1.5, (1, 1)), None),
    ],
)
def test_flaws_that_need_no_picture(box: Box, flaw: str | None) -> None:
    assert (box.flaw and box.flaw[0]) == flaw


def test_padding_is_a_share_of_the_box_and_ends_at_the_border() -> None:
    box = PixelBox(10, 10, 30, 14)
    assert box.padded(0.25, (100, 100)) == (5, 9, 35, 15)
    assert box.padded(1.0, (40, 16)) == (0, 6, 40, 16)
    data = encoded(picture(size=(100, 100)), 'PNG')
    padded = cut(data, Box(*map(float, box)), Boxes(padding=0.25, min_side=1))
    assert decoded(padded.image).shape == (6, 30, 3)
    # The same id means the same pixels.
    assert padded.image_id != cut(data, Box(*map(float, box))).image_id
    assert padded.image_id == cut(data, Box(5, 9, 35, 15)).image_id


def test_small_boxes_are_left_out_before_padding() -> None:
    data = encoded(picture(size=(40, 20)), 'PNG')
    settings = Boxes(padding=1.0, min_side=5)
    assert problem(data, Box(0, 0, 4, 20), settings) == reasons.SMALL_BOX
    assert decoded(cut(data, Box(0, 0, 5, 20), settings).image).shape == (20, 10, 3)
    # What counts is the part that is on the picture.
    assert problem(data, Box(-50, 0, 4, 20), settings) == reasons.SMALL_BOX


def test_identity_is_of_the_picture_and_the_box() -> None:
    data, other = (encoded(picture(seed, (40, 20)), 'PNG') for seed in (1, 2))
    box, second = Box(0, 0, 9, 9), Box(1, 0, 9, 9)
    alone = cut(data, box)
    with_others = list(crops.cut(data, [second, box, box], PLAIN, 10**6))
    assert [c.image_id == alone.image_id for c in with_others] == [False, True, True]  # type: ignore[union-attr]
    assert cut(other, box).image_id != alone.image_id
    assert cut(other, box).picture_id != alone.picture_id == with_others[0].picture_id  # type: ignore[union-attr]


def test_crops_keep_how_a_picture_is_stored() -> None:
    for kind, stored in (('JPEG', 'JPEG'), ('WEBP', 'JPEG'), ('PNG', 'PNG'), ('BMP', 'PNG')):
        data = encoded(picture(size=(40, 20)), kind)
        crop = cut(data, Box(5, 5, 25, 15))
        assert (Image.open(io.BytesIO(crop.image)).format, crop.source_format) == (stored, kind)
        assert np.abs(decoded(crop.image) - decoded(data)[5:15, 5:25]).mean() < 3


def test_16_bits_stay_16_bits() -> None:
    samples = np.random.default_rng(0).integers(0, 4096, (20, 40, 1), dtype=np.uint16)
    colour = np.random.default_rng(1).integers(0, 65536, (20, 40, 4), dtype=np.uint16)
    for deep in (samples, colour):
        crop = cut(tf.io.encode_png(deep).numpy(), Box(5, 5, 25, 15))
        assert np.array_equal(tf.io.decode_png(crop.image, 0, tf.uint16), deep[5:15, 5:25])
    floats = np.linspace(0, 1, 800, dtype=np.float32).reshape(20, 40)
    crop = cut(encoded(Image.fromarray(floats), 'TIFF'), Box(5, 5, 25, 15))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(crop.image))), floats[5:15, 5:25])


def test_a_picture_is_decoded_once_for_all_its_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    open_image, calls = image_opening.open_image, []
    monkeypatch.setattr(
        image_opening, 'open_image', lambda *args: calls.append(args) or open_image(*args)
    )
    data = encoded(picture(size=(40, 20)), 'PNG')
    crops_of = list(crops.cut(data, [Box(n, 0, n + 9, 9) for n in range(9)], PLAIN, 10**6))
    assert len(calls) == 1 and len({c.image_id for c in crops_of}) == 9  # type: ignore[union-attr]


NUMBERS = st.floats(-1e6, 1e6) | st.floats(0, 1) | st.integers(-100, 100).map(float)


@given(
    st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    st.none() | st.just((1.0, 1.0)) | st.tuples(st.floats(1, 1e4), st.floats(1, 1e4)),
    st.tuples(st.integers(1, 200), st.integers(1, 200)),
    st.integers(1, 8),
    st.floats(0, 1),
)
def test_a_box_is_in_the_picture_or_refused(
    corners: tuple[float, float, float, float],
    annotated: tuple[float, float] | None,
    size: tuple[int, int],
    orientation: int,
    padding: float,
) -> None:
    box = Box(*corners, annotated)
    if box.flaw:
        return
    try:
        place = box.in_pixels(size, orientation)
    except BadImage as bad:
        assert bad.reason in (reasons.BOX_OUTSIDE, reasons.OTHER_SHAPE)
        return
    for pixels in (place, place.padded(padding, size)):
        assert 0 <= pixels.left < pixels.right <= size[0]
        assert 0 <= pixels.top < pixels.bottom <= size[1]


def test_a_bad_picture_is_the_reason_for_all_its_boxes() -> None:
    data = encoded(picture(size=(40, 20)), 'PNG')
    outcomes = list(crops.cut(data[:60], [Box(0, 0, 9, 9)] * 2, PLAIN, 10**6))
    assert all(isinstance(bad, BadImage) for bad in outcomes) and len(outcomes) == 2
    assert problem(data, Box(0, 0, 9, 9), most=799) == reasons.TOO_LARGE
