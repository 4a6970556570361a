"""Decoding and resizing: geometry, rounding and types on patterns whose result is known."""

from __future__ import annotations

import io

import hypothesis
import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from thawline.components.shared import exif_orientation, image_decoder
from thawline.components.transform import preprocessing
from thawline.components.transform.preprocessing import RESIZE_MODES, UNKNOWN_CLASS


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def gradient(height: int, width: int) -> np.ndarray:
    """Smooth, so that JPEG keeps it; uint8 [height, width, 3]."""
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [rows * 255 // height, columns * 255 // width, (rows + columns) % 64 + 96]
    return np.stack(channels, axis=2).astype(np.uint8)


def resized(pixels: np.ndarray, size: int, mode: str) -> np.ndarray:
    return preprocessing.resize(tf.constant(pixels), size, mode).numpy()


@pytest.mark.parametrize('image_format', ['PNG', 'BMP'])
def test_lossless_formats_decode_to_the_same_pixels(image_format: str) -> None:
    pixels = noise(7, 5)
    decoded = image_decoder.decode(encoded(Image.fromarray(pixels), image_format)).numpy()
    np.testing.assert_array_equal(decoded, pixels, strict=True)


def test_jpeg_decodes_to_nearly_the_same_pixels() -> None:
    pixels = gradient(32, 24)
    data = encoded(Image.fromarray(pixels), 'JPEG', quality=95, subsampling=0)
    decoded = image_decoder.decode(data).numpy()
    assert decoded.dtype == np.uint8 and decoded.shape == pixels.shape
    assert np.abs(decoded.astype(int) - pixels).mean() < 4


def test_gif_decodes_to_its_first_frame() -> None:
    frames = [Image.new('RGB', (6, 4), colour) for colour in ('red', 'blue')]
    still = encoded(frames[0], 'GIF')
    animated = encoded(frames[0], 'GIF', save_all=True, append_images=frames[1:])
    for data in (still, animated):
        decoded = image_decoder.decode(data).numpy()
        assert decoded.shape == (4, 6, 3)
        assert (decoded == [255, 0, 0]).all()


@pytest.mark.parametrize('image_format', ['PNG', 'JPEG', 'GIF', 'BMP'])
def test_grey_becomes_three_equal_channels(image_format: str) -> None:
    grey = Image.fromarray(gradient(16, 16)[:, :, 0])
    if image_format == 'BMP':
        grey = grey.convert('RGB')  # TensorFlow reads no BMP with a palette; ingestion writes none
    decoded = image_decoder.decode(encoded(grey, image_format)).numpy()
    assert decoded.shape == (16, 16, 3)
    assert (decoded == decoded[:, :, :1]).all()
    assert np.abs(decoded[:, :, 0].astype(int) - gradient(16, 16)[:, :, 0]).max() <= 4


@pytest.mark.parametrize('data', [b'', b'words', b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff\xe0'])
def test_garbage_is_an_invalid_argument(data: bytes) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        image_decoder.decode(tf.constant(data))


@pytest.mark.parametrize('mode', RESIZE_MODES)
@pytest.mark.parametrize('shape', [(8, 8), (13, 40), (40, 13), (3, 2), (1, 30)])
def test_result_is_a_square_of_bytes(mode: str, shape: tuple[int, int]) -> None:
    square = resized(noise(*shape), 12, mode)
    assert square.shape == (12, 12, 3)
    assert square.dtype == np.uint8


@pytest.mark.parametrize('mode', RESIZE_MODES)
def test_square_of_the_right_size_is_not_touched(mode: str) -> None:
    pixels = noise(12, 12)
    np.testing.assert_array_equal(resized(pixels, 12, mode), pixels)


def test_stretch_agrees_with_pillow() -> None:
    """Pillow's bilinear filter is the same antialiased triangle, computed in integers."""
    for shape in ((60, 90), (16, 9)):
        pixels = gradient(*shape)
        expected = np.asarray(
            Image.fromarray(pixels).resize((24, 24), Image.Resampling.BILINEAR), int
        )
        assert np.abs(resized(pixels, 24, 'stretch') - expected).max() <= 1


def test_large_images_do_not_alias() -> None:
    """A chequerboard of single pixels, shrunk, is grey; without antialiasing it is a pattern."""
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    square = resized(np.repeat(board[:, :, None], 3, axis=2), 8, 'stretch')
    assert np.abs(square[1:-1, 1:-1].astype(int) - 128).max() <= 2


@pytest.mark.parametrize(('height', 'width'), [(20, 32), (32, 20), (21, 32)])
def test_crop_keeps_the_central_square(height: int, width: int) -> None:
    pixels = noise(height, width)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side]
    np.testing.assert_array_equal(resized(pixels, side, 'crop'), square)
    np.testing.assert_array_equal(resized(pixels, 12, 'crop'), resized(square, 12, 'stretch'))


def test_letterbox_keeps_the_whole_image_between_grey_bars() -> None:
    wide = noise(10, 20)
    square = resized(wide, 20, 'letterbox')
    np.testing.assert_array_equal(square[5:15], wide)
    assert (square[:5] == 128).all() and (square[15:] == 128).all()
    tall = noise(20, 10)
    square = resized(tall, 20, 'letterbox')
    np.testing.assert_array_equal(square[:, 5:15], tall)
    assert (square[:, :5] == 128).all() and (square[:, 15:] == 128).all()


@pytest.mark.parametrize('shape', [(1, 300), (300, 1), (3, 1000)])
def test_letterbox_of_a_sliver_keeps_a_line(shape: tuple[int, int]) -> None:
    square = resized(np.full((*shape, 3), 255, np.uint8), 16, 'letterbox')
    white = (square == 255).all(axis=2)
    assert white.sum() == 16 and (square[~white] == 128).all()


def test_letterbox_scales_by_the_longer_side() -> None:
    white = np.full((10, 40, 3), 255, np.uint8)
    square = resized(white, 20, 'letterbox')
    rows = (square == 255).all(axis=(1, 2))
    assert rows.sum() == 5
    assert (square[~rows] == 128).all()


@pytest.mark.parametrize('mode', RESIZE_MODES)
@pytest.mark.parametrize('turn', range(1, 9))
def test_turning_the_small_image_is_turning_the_large_one(mode: str, turn: int) -> None:
    for shape in ((30, 40), (75, 100), (101, 64), (40, 95), (24, 24)):
        pixels = tf.constant(noise(*shape))
        upright = exif_orientation.upright(pixels, tf.constant(turn))
        expected = preprocessing.resize(upright, 24, mode).numpy().astype(int)
        result = preprocessing.resize(pixels, 24, mode, tf.constant(turn)).numpy()
        # The order in which a filter adds up may differ.
        assert np.abs(result - expected).max() <= 1
        assert np.mean(result != expected) < 0.01


@pytest.mark.parametrize('mode', RESIZE_MODES)
@pytest.mark.parametrize('value', [0, 1, 127, 128, 254, 255])
def test_flat_colour_is_kept(mode: str, value: int) -> None:
    square = resized(np.full((30, 30, 3), value, np.uint8), 7, mode)
    assert (square == value).all()


def test_values_are_rounded_and_not_cut_off() -> None:
    pixels = np.zeros((1, 2, 3), np.uint8)
    pixels[:, 1] = 3  # enlarged to 4: 0, 0.75, 2.25, 3
    assert resized(pixels, 4, 'stretch')[0, :, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize('mode', ['zoom', '', 'Stretch'])
def test_unknown_mode_echoes_what_it_got(mode: str) -> None:
    with pytest.raises(ValueError, match=f'stretch.*Received: {mode!r}'):
        resized(noise(4, 4), 4, mode)


@pytest.mark.parametrize('mode', RESIZE_MODES)
def test_batch_equals_its_images(mode: str) -> None:
    data = [encoded(Image.fromarray(noise(9 + i, 20 - i, i)), 'PNG') for i in range(3)]
    batch = preprocessing.pixels_from_bytes(tf.constant(data), 8, mode).numpy()
    for i, row in enumerate(batch):
        np.testing.assert_array_equal(row, resized(noise(9 + i, 20 - i, i), 8, mode))
    graph = tf.function(lambda x: preprocessing.pixels_from_bytes(x, 8, mode))
    np.testing.assert_array_equal(graph(tf.constant(data)).numpy(), batch)
    empty = preprocessing.pixels_from_bytes(tf.constant([], tf.string), 8, mode)
    assert empty.shape == (0, 8, 8, 3) and empty.dtype == tf.uint8


@hypothesis.settings(deadline=None, max_examples=30)
@hypothesis.given(st.data(), st.integers(0, 4), st.integers(1, 6))
def test_unpack_is_the_inverse_of_pack(data: st.DataObject, n: int, side: int) -> None:
    pixels = data.draw(arrays.arrays(np.uint8, (n, side, side, 3)))
    packed = preprocessing.pack(tf.constant(pixels))
    assert packed.shape == (n,) and packed.dtype == tf.string
    unpacked = preprocessing.unpack(packed, side).numpy()
    np.testing.assert_array_equal(unpacked, pixels, strict=True)


def test_pixels_of_another_size_are_not_taken_for_these() -> None:
    packed = preprocessing.pack(tf.zeros([1, 4, 4, 3], tf.uint8))
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        preprocessing.unpack(packed, 5)


labels = st.text(st.characters(codec='utf-8', exclude_characters='\0'), max_size=8)


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(
    st.lists(labels, min_size=1, max_size=6, unique=True), st.lists(labels, max_size=6)
)
def test_class_index_is_the_position_or_unknown(classes: list[str], others: list[str]) -> None:
    labels = others + classes[::-1]
    positions = preprocessing.class_index(tf.constant(labels), tf.constant(classes)).numpy()
    expected = [classes.index(x) if x in classes else UNKNOWN_CLASS for x in labels]
    assert positions.dtype == np.int64
    assert positions.tolist() == expected


def test_class_index_tells_close_names_apart() -> None:
    # The two in the middle look alike: c with a cedilla as one character and as two.
    classes = tf.constant(['Cat', 'cat', 'cat ', '\u00e7a', 'c\u0327a', '猫', '🐈'])
    positions = preprocessing.class_index(tf.constant(['cat', '🐈', 'c\u0327a', 'CAT']), classes)
    assert positions.numpy().tolist() == [1, 6, 4, UNKNOWN_CLASS]
    assert preprocessing.class_index(tf.constant([], tf.string), classes).shape == (0,)
