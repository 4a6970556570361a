"""What names say of copies."""

from __future__ import annotations

import time

import pytest

from thawline.components.ingestion.augmented_names import family, versions

HASH = '0123456789abcdef0123456789abcdef'


@pytest.mark.parametrize(
    ('name', 'source'),
    [
        ('a/leaf1_flipLR.jpg', 'a/leaf1'),
        ('a/leaf1_90deg.jpg', 'a/leaf1'),
        ('a/leaf_1_new30degFlipLR.JPG', 'a/leaf_1'),
        ('leaf-copy.png', 'leaf'),
        ('leaf rotated 90.png', 'leaf'),
        ('001_flip2.jpg', '001'),
        ('leaf_hflip_bright.jpg', 'leaf'),
        (f'a/leaf1_flipLR_jpg.rf.{HASH}.jpg', 'a/leaf1_flipLR_jpg'),
        # As they are: the words are a part of the name, or all of it.
        ('a/cloud.jpg', 'a/cloud'),
        ('landscape.jpg', 'landscape'),
        ('flip.jpg', 'flip'),
        ('_flip.jpg', '_flip'),
        ('IMG_2001.jpg', 'IMG_2001'),
        ('12rot.png', '12rot'),
        ('.hidden', '.hidden'),
        ('', ''),
    ],
)
def test_source_of_a_name(name: str, source: str) -> None:
    assert family(name) == source


def test_long_names_take_no_time() -> None:
    started = time.process_time()
    for name in ('flip' * 60, 'flip1' * 50, '_1' * 120, 'a' + '_flip' * 50 + '!'):
        family(f'{name}.jpg')
    assert time.process_time() - started < 0.5


def test_versions_are_those_of_one_folder() -> None:
    names = [f'{folder}/{name}_jpg.rf.{HASH}' for folder in 'ab' for name in 'xy']
    paths = [f'{name}{n}.jpg' for name in names for n in '12']
    assert versions(paths) == [sorted(paths[k : k + 2]) for k in range(0, 8, 2)]
    assert versions(['a/x.rf.jpg', 'a/x.rf.12.jpg', 'a/y.jpg']) == []
