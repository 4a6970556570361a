"""Groups of images: which there are, and in which order."""

from __future__ import annotations

import numpy as np

from thawline.components.report import slices
from thawline.components.report.content import Slice

COLUMNS = {
    'brightness_bucket': np.array(['bright', 'dark', 'medium', 'dark', 'bright', 'medium'], object),
    'source_format': np.array(['png'] * 6, object),
    'meta_site': np.array(['b', 'a', None, 'a', 'b', ''], object),
}
HITS = np.array([1, 1, 0, 0, 1, 1], bool)


def told(found: tuple[Slice, ...]) -> list[tuple[str, str, float | None, int, bool]]:
    return [(s.column, s.value, s.accuracy.share, s.accuracy.n, s.small) for s in found]


def test_values_by_name_and_buckets_from_low_to_high() -> None:
    found = slices.slice_accuracies(COLUMNS, [(name,) for name in COLUMNS], HITS, smallest=3)
    assert told(found) == [
        ('brightness_bucket', 'dark', 0.5, 2, True),
        ('brightness_bucket', 'medium', 0.5, 2, True),
        ('brightness_bucket', 'bright', 1.0, 2, True),
        ('source_format', 'png', 4 / 6, 6, False),
        ('meta_site', '(none)', 0.5, 2, True),
        ('meta_site', 'a', 0.5, 2, True),
        ('meta_site', 'b', 1.0, 2, True),
    ]


def test_crossed_columns_split_the_images_without_losing_one() -> None:
    found = slices.slice_accuracies(COLUMNS, [('meta_site', 'brightness_bucket')], HITS, smallest=1)
    assert [(s.column, s.value, s.accuracy.n) for s in found] == [
        ('meta_site x brightness_bucket', '(none) x medium', 2),
        ('meta_site x brightness_bucket', 'a x dark', 2),
        ('meta_site x brightness_bucket', 'b x bright', 2),
    ]
    assert not any(s.small for s in found)


def test_buckets_are_told_with_their_edges() -> None:
    fact = slices.bucket_fact({'brightness_bucket': (0.4, 0.512345), 'size_bucket': (320.0, 640.0)})
    for part in ('dark below 0.4', 'bright from 0.5123', 'small below 320', 'large from 640'):
        assert part in fact.detail
    assert slices.bucket_fact({}).detail == ''
