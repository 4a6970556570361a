"""Reading shards: every image once, damaged files named, counts before anything is read."""

from __future__ import annotations

import pathlib

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from apache_beam.io.tfrecordio import _TFRecordUtil

from tests.components import transformed as making
from tests.components.embedding.embedding_run import SIZE, image_ids, pictures, write_shard
from tests.components.transformed import Transformed
from thawline.components.embedding import shards
from thawline.components.shared.errors import DataError
from thawline.components.shared.gzipped_records import StoredGzip


def test_batches_hold_every_image_once(tmp_path: pathlib.Path) -> None:
    pixels, ids, labels = pictures(70), image_ids(70), list(range(70))
    confidence = [(i % 4 + 1) / 4 for i in labels]
    shard = write_shard(tmp_path / 's.gz', pixels, labels, ids, confidence)
    batches = list(shards.read_batches(shard, SIZE))
    assert [len(batch.ids) for batch in batches] == [64, 6]
    unpacked = np.concatenate([batch.pixels(range(len(batch.ids))) for batch in batches])
    np.testing.assert_array_equal(unpacked, pixels, strict=True)
    assert np.concatenate([b.labels for b in batches]).tolist() == labels
    assert np.concatenate([b.ids for b in batches]).tolist() == ids
    assert np.concatenate([b.confidence for b in batches]).tolist() == confidence


def test_labels_without_a_confidence_are_certain(tmp_path: pathlib.Path) -> None:
    shard = write_shard(tmp_path / 's.gz', pictures(3), [0] * 3, image_ids(3))
    (batch,) = shards.read_batches(shard, SIZE)
    np.testing.assert_array_equal(batch.confidence, np.ones(3, np.float32), strict=True)


def test_images_of_another_size_are_refused(tmp_path: pathlib.Path) -> None:
    shard = write_shard(tmp_path / 's.gz', pictures(3), [0] * 3, image_ids(3))
    (batch,) = shards.read_batches(shard, SIZE + 1)
    with pytest.raises(DataError, match=r's\.gz is damaged'):
        shards.pixels(batch, [0], shard)


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(st.integers(0, 40), st.booleans())
def test_images_are_counted_without_reading(
    tmp_path_factory: pytest.TempPathFactory, n: int, flat: bool
) -> None:
    pixels = pictures(n) // (255 if flat else 1)  # flat pictures compress a hundredfold
    path = tmp_path_factory.mktemp('shards') / 's.gz'
    assert shards.estimated_images(write_shard(path, pixels, [-1] * n, image_ids(n))) == n


def test_images_of_what_transform_wrote_are_counted(transformed: Transformed) -> None:
    (file,) = transformed.examples['train'].glob('*.gz')
    assert shards.estimated_images(str(file)) == 4 * len(making.CLASSES)


def test_images_of_a_shard_that_is_larger_than_its_content_are_counted(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / 's.gz'
    file = StoredGzip(path.open('wb'))
    for _ in range(20):
        _TFRecordUtil.write_record(file, bytes(150_000))
    file.close()
    assert path.stat().st_size > 20 * 150_016 + 64
    assert shards.estimated_images(str(path)) == 20


@pytest.mark.parametrize('content', [b'', b'\x1f', b'no gzip at all'])
def test_what_is_no_shard_is_told(content: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / 's.gz'
    path.write_bytes(content)
    if len(content) < 4:
        assert shards.estimated_images(str(path)) == 0
    else:
        with pytest.raises(DataError, match=r's\.gz is damaged .*--no-cache'):
            shards.estimated_images(str(path))
