"""Near-duplicates are found in Beam, whoever they are spread over, and unrelated images are not."""

from __future__ import annotations

import hashlib
import itertools
import pathlib
import random
from collections.abc import Iterable

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from PIL import Image

from tests.components.ingestion import near_images
from thawline.components.ingestion import (
    cache_key,
    candidate_pairs,
    near_duplicates,
    thumbnail,
    thumbnail_files,
)
from thawline.components.ingestion.near_duplicates import Pair
from thawline.components.ingestion.params import NearDuplicates, Split
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.tied_groups import tie_groups
from thawline.components.shared import property_names

Named = tuple[str, Image.Image]


def image_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def find(
    folder: pathlib.Path,
    images: Iterable[Named],
    turned: bool = False,
    shards: int = 1,
    mode: str = 'in_memory',
) -> list[Pair]:
    folder.mkdir()
    records = [
        thumbnail_files.record(image_id(name), name, thumbnail.of_luma(np.asarray(image)).tobytes())
        for name, image in images
    ]
    for shard in range(shards):
        path = str(folder / f'{thumbnail_files.THUMBNAILS}-{shard}')
        with tf.io.TFRecordWriter(path) as writer:
            for record in records[shard::shards]:
                writer.write(record)
    flags = ['--runner=FnApiRunner', f'--direct_running_mode={mode}', '--direct_num_workers=2']
    ids = [record[: thumbnail_files.ID_LENGTH].decode() for record in records]
    with beam.Pipeline(options=PipelineOptions(flags)) as pipeline:
        near_duplicates.find(pipeline, str(folder), ids, turned)
    lines = (
        line
        for file in sorted(folder.glob(f'{near_duplicates.PAIRS}-*'))
        for line in file.read_text().splitlines()
    )
    return near_duplicates.parse_pairs(lines)


def clusters(pairs: Iterable[Pair]) -> set[frozenset[str]]:
    leaders = tie_groups(
        (str(number), image)
        for number, pair in enumerate(pairs)
        for image in (pair.first, pair.second)
    )
    by_leader: dict[str, set[str]] = {}
    for image, leader in leaders.items():
        by_leader.setdefault(leader, set()).add(image)
    return {frozenset(images) for images in by_leader.values()}


@pytest.fixture(scope='module')
def planted() -> list[Named]:
    """Twenty pictures, ten of them with one copy each."""
    pictures = [(f'{n}.png', near_images.picture(n)) for n in range(20)]
    copies = [
        (f'{n}, {name}.png', copy)
        for n, (name, copy) in enumerate(near_images.copies(near_images.picture(0)).items())
        for copy in [near_images.copies(near_images.picture(n))[name]]
    ]
    assert len(copies) == 10
    return pictures + copies


@pytest.fixture(scope='module')
def expected(planted: list[Named]) -> set[frozenset[str]]:
    names = [name for name, _ in planted]
    return {frozenset({image_id(f'{n}.png'), image_id(name)}) for n, name in enumerate(names[20:])}


@pytest.fixture(scope='module')
def pairs(planted: list[Named], tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    return find(tmp_path_factory.mktemp('near') / 'staging', planted)


def test_each_copy_is_with_its_picture_alone(
    pairs: list[Pair], expected: set[frozenset[str]]
) -> None:
    assert clusters(pairs) == expected
    least = near_duplicates.LEAST_AGREEMENT
    assert all(pair.first < pair.second and least <= pair.agreement <= 1.0001 for pair in pairs)


def test_neither_order_nor_shards_matter(
    planted: list[Named], pairs: list[Pair], tmp_path: pathlib.Path
) -> None:
    mixed = random.Random(0).sample(planted, len(planted))
    assert find(tmp_path / 'staging', mixed, shards=3) == pairs


def test_the_same_by_processes(
    planted: list[Named], pairs: list[Pair], tmp_path: pathlib.Path
) -> None:
    assert find(tmp_path / 'staging', planted, shards=2, mode='multi_processing') == pairs


def test_turned_images_by_choice(tmp_path: pathlib.Path) -> None:
    images = [(f'{n}.png', near_images.picture(n)) for n in range(8)]
    images += [
        (f'0 {name}', copy) for name, copy in near_images.turned(near_images.picture(0)).items()
    ]
    together = frozenset(image_id(name) for name, _ in images if name.startswith('0'))
    assert clusters(find(tmp_path / 'turned', images, turned=True)) == {together}
    # As they are or mirrored, those that are turned alike are the same all the same.
    upright = clusters(find(tmp_path / 'upright', images))
    assert upright and all(
        image_id('0.png') not in cluster or image_id('0 90') not in cluster for cluster in upright
    )


def test_copies_of_one_picture_all_in_one_cluster_in_linear_work(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = near_images.picture(1)
    monkeypatch.setattr(near_duplicates, '_WINDOW', 256)  # two of 2,048 take ten seconds
    count = 256 + 100  # more than are compared at once
    pairs = find(tmp_path / 'staging', [(f'{n}.png', picture) for n in range(count)])
    assert len(clusters(pairs)) == 1
    assert len(next(iter(clusters(pairs)))) == count
    assert len(pairs) <= 2 * candidate_pairs._CANDIDATES * count


def test_noise_and_even_surfaces_are_no_copies(tmp_path: pathlib.Path) -> None:
    generator = np.random.default_rng(0)
    noise = [
        (f'n{n}.png', Image.fromarray(generator.integers(0, 256, (64, 64), np.uint8)))
        for n in range(60)
    ]
    even = [(f'e{n}.png', Image.new('L', (64, 64), 4 * n)) for n in range(40)]
    assert find(tmp_path / 'staging', noise + even) == []


def test_two_images_are_enough(tmp_path: pathlib.Path) -> None:
    picture = near_images.picture(3)
    near = find(tmp_path / 'near', [('a', picture), ('b', near_images.jpeg(picture, 60))])
    assert clusters(near) == {frozenset({image_id('a'), image_id('b')})}
    assert find(tmp_path / 'far', [('a', picture), ('b', near_images.picture(4))]) == []


def test_name_lowers_what_is_asked_of_the_picture(tmp_path: pathlib.Path) -> None:
    """A copy turned by a quarter is one where its name says so, though `turned` is off."""
    picture, others = near_images.picture(5), [(f'{n}', near_images.picture(n)) for n in range(9)]
    copy = picture.transpose(Image.Transpose.ROTATE_90)
    named = [*others, ('leaf.png', picture), ('leaf_90deg.png', copy)]
    named[5] = ('leaf_flipLR.png', near_images.picture(30))  # says so, and is not
    found = clusters(find(tmp_path / 'named', named))
    assert found == {frozenset({image_id('leaf.png'), image_id('leaf_90deg.png')})}
    other = [*named[:5], *named[6:-1], ('stem.png', copy)]
    assert find(tmp_path / 'other', other) == []


def test_settings_are_part_of_the_cache_key() -> None:
    settings = [
        NearDuplicates(), NearDuplicates(turned=True), NearDuplicates(policy='ignore'),
    ]  # fmt: skip
    specs = [SourceSpec('images', near_duplicates=setting) for setting in settings]
    keys = [cache_key.parameters(spec, Split(), 64, 64) for spec in specs]
    assert len({key[property_names.SOURCE_SPEC] for key in keys}) == 3
    assert [SourceSpec.from_json(spec.to_json()) for spec in specs] == specs


@pytest.mark.parametrize('side', [1, 7, 64, 256])
def test_thumbnails_of_any_size(side: int) -> None:
    luma = np.arange(side * (side + 1), dtype=np.uint32).reshape(side, side + 1).astype(np.uint8)
    assert thumbnail.of_luma(luma).shape == (thumbnail.SIDE, thumbnail.SIDE)
    features = thumbnail.spectra(thumbnail.of_luma(luma)[None])
    assert features.shape[0] == 1 and np.isfinite(features).all()


def test_features_are_those_of_the_mirrored_and_the_turned() -> None:
    pixels = np.asarray(near_images.picture(2, thumbnail.SIDE))
    turned = [np.rot90(view, k) for view in (pixels, pixels[::-1]) for k in range(4)]
    features = thumbnail.spectra(np.stack(turned))
    assert np.abs(features - features[0]).max() < 0.02 * features.max()
    for a, b in itertools.combinations(range(3), 2):
        others = thumbnail.spectra(
            np.stack([np.asarray(near_images.picture(n, thumbnail.SIDE)) for n in (a, b)])
        )
        assert np.abs(others[0] - others[1]).max() > 0.1 * others.max()
