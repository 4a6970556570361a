"""Sizes told from headers against Pillow's, and the limits of a request."""

from __future__ import annotations

import io
import json
import struct

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given
from PIL import Image

from tests.components.transformed import Row
from tests.components.transformed import example as as_example
from thawline.pipeline.server import image_size
from thawline.pipeline.server.limits import RequestLimits, TooLarge
from thawline.pipeline.server.predict_json import BadRequest

STARTS = (b'', b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n', b'GIF89a', b'BM', b'RIFF1234WEBPVP8X')
FORMATS = ('JPEG', 'PNG', 'GIF', 'BMP', 'WEBP')


def encoded(kind: str, width: int, height: int, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new('RGB', (width, height), (9, 99, 199)).save(file, kind, **options)
    return file.getvalue()


def claims(width: int, height: int) -> bytes:
    """A PNG of 33 bytes that says it is huge."""
    return b'\x89PNG\r\n\x1a\n' + struct.pack(
        '>I4sIIBBBBBI', 13, b'IHDR', width, height, 8, 2, *[0] * 4
    )


@given(st.sampled_from(FORMATS), st.integers(1, 70), st.integers(1, 70))
def test_sizes_are_those_of_the_header(kind: str, width: int, height: int) -> None:
    assert image_size.pixel_count(encoded(kind, width, height)) == width * height


@pytest.mark.parametrize('options', [{'lossless': True}, {'exif': b'Exif\0\0'}, {'quality': 5}])
def test_every_kind_of_webp(options: dict[str, object]) -> None:
    assert image_size.pixel_count(encoded('WEBP', 40, 30, **options)) == 1200


def test_jpegs_of_every_build() -> None:
    for options in ({'progressive': True}, {'exif': b'Exif\0\0' + b'\xff' * 500}, {'quality': 1}):
        data = encoded('JPEG', 33, 44, **options)
        assert image_size.pixel_count(data) == 33 * 44
        # Decoders pass by what lies between two markers.
        assert (
            image_size.pixel_count(data[:2] + b'\xff\xfe\0\2' + b'\xff' * 9 + data[3:]) == 33 * 44
        )


def test_all_frames_of_an_animation_count() -> None:
    file = io.BytesIO()
    frames = [Image.effect_noise((20, 10), 90 + i) for i in range(4)]
    frames[0].save(file, 'GIF', save_all=True, append_images=frames[1:])
    assert image_size.pixel_count(file.getvalue()) == 4 * 200


@given(st.sampled_from(STARTS), st.binary(max_size=60))
@example(b'\xff\xd8\xff', b'\xff' * 40)
@example(b'GIF89a', b'\xff' * 40)
def test_no_bytes_do_harm(start: bytes, rest: bytes) -> None:
    found = image_size.pixel_count(start + rest)
    assert found is None or found >= 0


@given(st.sampled_from(FORMATS), st.integers(0, 200))
def test_cut_images_neither(kind: str, end: int) -> None:
    found = image_size.pixel_count(encoded(kind, 12, 11)[:end])
    assert found in (None, 132, 0)


def objects(*values: bytes) -> np.ndarray:
    found = np.empty(len(values), object)
    found[:] = values
    return found


def test_what_passes_and_what_does_not() -> None:
    limits = RequestLimits(body=10, values=9, batch=2, pixels=1000)
    small, bomb = encoded('PNG', 20, 20), claims(2**31 - 1, 2**31 - 1)
    assert limits.check({'image_bytes': objects(small, small)}) == 2
    assert limits.check({'image_bytes': objects(b'garbage', b'')}) == 2
    assert limits.check({'pixels': np.zeros((2, 20, 20, 3), np.uint8)}) == 2
    assert limits.check({'examples': objects(as_example(Row(small, '', '')), b'')}) == 2
    assert limits.check({'examples': objects()}) == 0
    limits.check_body(10)
    for inputs, words in (
        ({'image_bytes': objects(small, small, small)}, '3 rows; the limit is 2'),
        ({'image_bytes': objects(bomb)}, 'the limit is 1,000'),
        ({'examples': objects(as_example(Row(bomb, '', '')))}, '4,611,686,014,132,420,609 pixels'),
        ({'pixels': np.zeros((1, 40, 40, 3), np.uint8)}, '1,600 pixels'),
    ):
        with pytest.raises(TooLarge, match=words):
            limits.check(inputs)
    with pytest.raises(TooLarge, match='11 bytes; the limit is 10'):
        limits.check_body(11)
    # TensorFlow's own message would repeat all of it.
    with pytest.raises(BadRequest, match='Could not parse example') as refused:
        limits.check({'examples': objects(b'\xff' * 10_000)})
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ('text', 'values'),
    [
        (b'1', 1),
        (b'[1, 2, 3]', 4),
        (b'[[1, 2], [3, 4]]', 7),
        (b'{"a": 1, "b": [true, null]}', 5),
        # Twice, and a comma in a string once: a bound needs no more.
        (b'[[], {}]', 5),
        (b'["a,b"]', 3),
    ],
)
def test_values_are_counted_before_they_are_parsed(text: bytes, values: int) -> None:
    RequestLimits(values=values).check_values(text)
    with pytest.raises(TooLarge, match=f'about {values} values; the limit is {values - 1}'):
        RequestLimits(values=values - 1).check_values(bytearray(text))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=30,
    )
)
def test_no_json_has_more_values_than_are_counted(value: object) -> None:
    def count(part: object) -> int:
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        return 1 + sum(map(count, inner))

    RequestLimits(values=len(json.dumps(value))).check_values(json.dumps(value).encode())
    if count(value) > 1:
        with pytest.raises(TooLarge):
            RequestLimits(values=count(value) - 1).check_values(json.dumps(value).encode())
