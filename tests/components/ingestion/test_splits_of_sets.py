"""Real image sets, where they are: shares of each class, and images that keep their split."""

from __future__ import annotations

import collections
import functools
import hashlib

import pytest

from tests.shared import SHARED, needs_shared
from thawline.components.ingestion import storage
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.ingestion.stratify import share_out

FRACTIONS = {'train': 0.7, 'val': 0.15, 'test': 0.15}
SETS = [
    *(pytest.param(str(SHARED / 'data' / name), marks=needs_shared, id=name)
      for name in ('flowers5', 'trashnet', 'hymenoptera')),
    'package:elpv_dataset',
]  # fmt: skip


@functools.cache
def images(source: str) -> list[tuple[str, str]]:
    """Content and class of each image."""
    contents = {
        hashlib.sha256(storage.read(item.path, 10**9)).hexdigest()[:32]: str(item.label)
        for item in list_source(SourceSpec(source)).items
    }
    return sorted(contents.items())


@pytest.mark.parametrize('source', SETS)
def test_no_class_is_farther_than_0_6_images_from_its_share(source: str) -> None:
    sizes = collections.Counter(label for _, label in images(source))
    for seed in range(10):
        splits = share_out(images(source), seed, FRACTIONS)
        counts = collections.Counter((label, splits[image]) for image, label in images(source))
        for label, size in sizes.items():
            for split, fraction in FRACTIONS.items():
                assert abs(counts[label, split] - size * fraction) < 0.65


@pytest.mark.parametrize('source', SETS)
@pytest.mark.parametrize('share', [0.01, 0.1, 1.0])
def test_no_image_moves_when_others_are_added(source: str, share: float) -> None:
    half = images(source)[::2]
    more = images(source)[1::2][: round(share * len(half))]
    first = share_out(half, 0, FRACTIONS)
    second = share_out(half + more, 0, FRACTIONS, first)
    assert all(second[image] == split for image, split in first.items())
    anew = share_out(half + more, 0, FRACTIONS)
    assert sum(anew[image] != split for image, split in first.items()) <= 0.07 * len(half)
