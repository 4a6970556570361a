"""Thumbnails and heat as a browser gets them, and examples that are not all there."""

from __future__ import annotations

import base64
import io
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.components.report import report_inputs
from thawline.components.report import picture_choice, pictures


def opened(uri: str, kind: str) -> Image.Image:
    head, data = uri.split(',', 1)
    assert head == f'data:image/{kind};base64'
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def encoded(width: int, height: int, kind: str = 'PNG') -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ('size', 'expected'),
    [
        ((640, 320), (160, 80)),
        ((20, 50), (20, 50)),
        ((1, 1024), (1, 160)),
        ((161, 160), (160, 159)),
    ],
)
def test_thumbnail_keeps_the_shape_and_is_never_enlarged(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    image = encoded(*size)
    small = opened(pictures.thumbnail(image), 'jpeg')
    assert small.size == pictures.thumbnail_size(image) == expected and small.mode == 'RGB'


def test_six_hundred_pictures_of_noise_stay_below_fifteen_megabytes() -> None:
    image = encoded(800, 800)
    heat = np.random.default_rng(0).random((7, 7), np.float32)
    over = pictures.overlay(heat, pictures.thumbnail_size(image), 'stretch')
    assert picture_choice.MOST * (len(pictures.thumbnail(image)) + len(over)) < 14_000_000


def alpha(heat: np.ndarray, size: tuple[int, int], resize: str) -> np.ndarray:
    image = opened(pictures.overlay(heat, size, resize), 'png')
    assert image.size == size
    return np.asarray(image.convert('RGBA'))[..., 3] / 255


def test_heat_lies_where_the_model_saw_it() -> None:
    corner = np.zeros((5, 5), np.float32)
    corner[0, 0] = 1
    wide = (150, 75)
    stretched = alpha(corner, wide, 'stretch')
    assert stretched[:7, :15].min() > 0.5 and stretched[40:, 75:].max() < 0.02
    # The central square alone was seen: nothing is known of what is left of it.
    cropped = alpha(corner, wide, 'crop')
    assert cropped[:, :37].max() == 0 and cropped[:7, 38:44].min() > 0.5
    # The corner of the square is a bar; the middle row is what was seen.
    assert alpha(corner, wide, 'letterbox').max() < 0.2
    middle = np.zeros((5, 5), np.float32)
    middle[2, 0] = 1
    boxed = alpha(middle, wide, 'letterbox')
    assert boxed[35:40, :15].min() > 0.5 and boxed[:, 80:].max() < 0.02


def test_no_heat_is_clear_and_full_heat_leaves_the_picture_visible() -> None:
    assert alpha(np.zeros((3, 3), np.float32), (40, 30), 'stretch').max() == 0
    full = alpha(np.ones((3, 3), np.float32), (40, 30), 'stretch')
    assert full.min() > 0.6 and full.max() < 0.7


def test_scan_finds_what_is_wanted_and_counts_groups(tmp_path: pathlib.Path) -> None:
    rows = [
        report_inputs.Drawn(f'id{i}', f'a/{i}.png', f'c{i % 2}', encoded(8, 8)) for i in range(5)
    ]
    files = {
        'train': [report_inputs.write(tmp_path / 'train.gz', rows[:3], group='one')],
        'val': [report_inputs.write(tmp_path / 'val.gz', rows[3:])],
        'test': [],
    }
    found = pictures.scan_examples(files, {'id1', 'id4', 'absent'})
    assert set(found.images) == {'id1', 'id4'}
    assert found.images['id4'] == pictures.IngestedImage('a/4.png', 'val', 'c0', rows[4].encoded)
    assert found.count == {'train': 3, 'val': 2, 'test': 0}
    assert found.groups['train'] == {b'one'} and len(found.groups['val']) == 2


def test_examples_that_are_gone_or_damaged_are_passed_by(tmp_path: pathlib.Path) -> None:
    row = report_inputs.Drawn('id', 'a.png', 'c', encoded(8, 8))
    whole = report_inputs.write(tmp_path / 'whole.gz', [row])
    damaged = tmp_path / 'damaged.gz'
    damaged.write_bytes(tf.io.gfile.GFile(whole, 'rb').read()[:40])
    found = pictures.scan_examples(
        {'train': [str(tmp_path / 'gone.gz')], 'val': [str(damaged)], 'test': [whole]}, {'id'}
    )
    assert found.images['id'].split == 'test' and found.count['train'] == 0
