"""The decoder of the served graph against ingestion, format by format."""

from __future__ import annotations

import contextlib
import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.components.ingestion import formats
from tests.components.ingestion.images import decoded, encoded, picture
from thawline.components.ingestion.decoding import canonicalise
from thawline.components.shared import exif_orientation, image_decoder
from thawline.components.shared.sample_depth import FULL_DEPTH, SampleDepth

TWELVE = SampleDepth(12)
LOSSLESS, LOSSY = formats.lossless(), formats.lossy()
REFUSED = formats.refused() | formats.unknown()
_ORIENTED = ('JPEG', 'PNG', 'WEBP')


def served(data: bytes, depth: SampleDepth = FULL_DEPTH) -> np.ndarray:
    return image_decoder.decode(tf.constant(data), depth).numpy()


def ingested(data: bytes, depth: SampleDepth = FULL_DEPTH) -> np.ndarray:
    return decoded(canonicalise(data, 1024, 10**6, depth).image)


@pytest.mark.parametrize('depth', [FULL_DEPTH, TWELVE], ids=['16', '12'])
@pytest.mark.parametrize('name', LOSSLESS)
def test_lossless_images_are_those_of_ingestion(name: str, depth: SampleDepth) -> None:
    pixels = served(LOSSLESS[name], depth)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, ingested(LOSSLESS[name], depth))
    assert len(np.unique(pixels)) > 1 or name == 'png clear'


@pytest.mark.parametrize('name', LOSSY)
def test_lossy_images_are_nearly_those_of_ingestion(name: str) -> None:
    pixels, expected = served(LOSSY[name]), ingested(LOSSY[name])
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).mean() < 4


@pytest.mark.parametrize('name', REFUSED)
def test_what_cannot_be_treated_alike_is_refused_by_name(name: str) -> None:
    data, word = REFUSED[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=word):
        served(data)
    if name in formats.refused():
        assert ingested(data).shape == (30, 40, 3)


def test_a_gif_whose_first_picture_is_smaller_is_refused() -> None:
    data = bytearray(LOSSLESS['gif'])
    data[6:8] = struct.pack('<H', 41)
    with pytest.raises(tf.errors.InvalidArgumentError, match='GIF'):
        served(bytes(data))


def test_clear_colours_are_white() -> None:
    for name in ('png clear', 'png palette clear', 'gif clear', 'png 16 clear'):
        pixels = served(LOSSLESS[name], TWELVE)
        assert (pixels == 255).all(axis=2).any(), name
    assert (served(LOSSLESS['png clear']) == 255).all()


def test_deep_samples_are_rounded_and_not_cut() -> None:
    samples = np.array([[[0, 8, 9, 4095, 65535]]], np.uint16).reshape(1, 5, 1)
    data = formats.deep_png(samples, 0)
    assert served(data, TWELVE)[0, :, 0].tolist() == [0, 0, 1, 255, 255]
    assert served(data)[0, :, 0].tolist() == [0, 0, 0, 16, 255]


@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize('turn', range(10))
@pytest.mark.parametrize('kind', _ORIENTED)
def test_orientation_is_applied_as_by_pillow(kind: str, turn: int, order: str) -> None:
    data = encoded(picture(3, formats.SIZE), kind, exif=formats.exif(turn, order))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert('RGB')
    pixels = served(data)
    assert pixels.shape == np.asarray(expected).shape
    assert np.abs(pixels - np.asarray(expected).astype(int)).max() <= (4 if kind == 'JPEG' else 0)
    assert np.abs(pixels - ingested(data)).mean() < 4


def jpeg_with(*segments: bytes) -> bytes:
    """A JPEG with these segments in front of all others."""
    plain = encoded(picture(3, formats.SIZE), 'JPEG', quality=95)
    return plain[:2] + b''.join(segments) + plain[2:]


def pillows(data: bytes) -> int:
    value = Image.open(io.BytesIO(data)).getexif().get(formats.ORIENTATION, 1)
    return value if value in range(1, 9) else 1


TURNED = formats.segment(0xE1, formats.exif(6))
LARGE = formats.segment(0xE2, b'ICC_PROFILE\0\1\1' + bytes(65_000))
IN_ODD_PLACES = {
    'behind others': jpeg_with(formats.segment(0xFE, b'Exif\0\0'), LARGE, LARGE, TURNED),
    'behind XMP': jpeg_with(formats.segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0<x/>'), TURNED),
    'behind filling bytes': jpeg_with(b'\xff\xff\xff', TURNED),
    'twice': jpeg_with(TURNED, formats.segment(0xE1, b'Exif\0\0' + bytes(8))),
    'of its end': encoded(picture(3, formats.SIZE), 'JPEG', quality=95) + TURNED,
}


@pytest.mark.parametrize('name', IN_ODD_PLACES)
def test_exif_is_found_where_pillow_finds_it(name: str) -> None:
    data = IN_ODD_PLACES[name]
    assert image_decoder.orientation_of(data) == pillows(data) == (1 if 'end' in name else 6)
    assert served(data).shape == ((30, 40, 3) if 'end' in name else (40, 30, 3))


def tiff_block(order: str, kind: int, count: int, value: bytes, entries: int = 1) -> bytes:
    """A TIFF structure with an orientation."""
    mark = b'II*\0' if order == '<' else b'MM\0*'
    entry = struct.pack(f'{order}HHI', 0x0112, kind, count) + value.ljust(4, b'\0')
    return mark + struct.pack(f'{order}IH', 8, entries) + entry + bytes(4)


BROKEN = {
    'empty': b'',
    'three bytes': b'II*',
    'no TIFF': b'what is this, then?',
    'cut in the header': tiff_block('<', 3, 1, b'\6')[:9],
    'cut in the entry': tiff_block('<', 3, 1, b'\6')[:16],
    'list far away': b'II*\0' + struct.pack('<I', 2**31 - 1),
    'list beyond four gigabytes': b'II*\0' + b'\xff' * 4,
    'value 0': tiff_block('<', 3, 1, b'\0'),
    'value 9': tiff_block('>', 3, 1, b'\0\x09'),
    'two values': tiff_block('<', 3, 2, b'\6\0\6\0'),
    'no place of the next list': tiff_block('<', 3, 1, b'\6')[:-4],
    'more entries than there are': tiff_block('<', 3, 1, b'\6', 9),
    'text': tiff_block('<', 2, 1, b'6'),
}
SOUND = {
    'long': tiff_block('<', 4, 1, b'\6'),
    'long, big endian': tiff_block('>', 4, 1, b'\0\0\0\6'),
}


@pytest.mark.parametrize('name', [*BROKEN, *SOUND])
def test_broken_exif_is_ignored_as_by_pillow(name: str) -> None:
    block = (BROKEN | SOUND)[name]
    data = jpeg_with(formats.segment(0xE1, b'Exif\0\0' + block))
    try:
        expected = pillows(data)
    except Exception:  # noqa: BLE001 - Pillow raises many kinds, where ingestion goes on
        expected = 1
    assert image_decoder.orientation_of(data) == expected == (6 if name in SOUND else 1)
    assert served(data).shape == ((40, 30, 3) if name in SOUND else (30, 40, 3))


def test_a_png_is_turned_by_what_stands_before_or_behind_its_pixels() -> None:
    block = formats.chunk(b'eXIf', formats.exif(6)[6:])
    samples = formats.deep_samples(0)
    for data in (formats.deep_png(samples, 0, block), formats.deep_png(samples, 0, b'', block)):
        assert served(data, TWELVE).shape == (40, 30, 3)
        np.testing.assert_array_equal(served(data, TWELVE), ingested(data, TWELVE))
    text = formats.deep_png(samples, 0, formats.chunk(b'tEXt', b'Comment\0eXIf'), block)
    assert image_decoder.orientation_of(text) == 6


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damaged_headers_only_ever_give_an_answer_or_an_invalid_argument(
    data: st.DataObject,
) -> None:
    name = data.draw(st.sampled_from(sorted(LOSSLESS | LOSSY)))
    damaged = bytearray((LOSSLESS | LOSSY)[name])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    assert image_decoder.orientation_of(cut) in range(1, 9)
    with contextlib.suppress(tf.errors.InvalidArgumentError):
        assert served(cut).shape[2] == 3


def test_the_whole_graph_is_of_tensorflows_own_operations() -> None:
    scalar = tf.TensorSpec([], tf.string)
    graph = tf.function(image_decoder.decode, input_signature=[scalar]).get_concrete_function()
    functions = graph.graph.as_graph_def().library.function
    operations = {node.op for function in functions for node in function.node_def}
    assert {'DecodePng', 'DecodeImage', 'DecodeWebP'} <= operations
    assert not {op for op in operations if 'PyFunc' in op}


def test_tiff_of_another_kind_has_no_orientation() -> None:
    assert int(exif_orientation.orientation(tf.constant(tiff_block('<', 3, 1, b'\7')))) == 7
    assert int(exif_orientation.orientation(tf.constant(b'MMMM' + bytes(30)))) == 1
