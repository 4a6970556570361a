"""What counts as the same result of two engines."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import statistics_pb2

from thawline.pipeline.tools.cluster_demo import compare_outputs


def field(name: str, value: int) -> bytes:
    """A tf.Example with one field; joined, such bytes are one with several, in that order."""
    feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    features = tf.train.Features(feature={name: feature})
    return tf.train.Example(features=features).SerializeToString()


def write(folder: pathlib.Path, *shards: list[bytes]) -> pathlib.Path:
    (folder / 'Split-train').mkdir(parents=True)
    for number, records in enumerate(shards):
        name = str(folder / 'Split-train' / f'data-{number}.gz')
        with tf.io.TFRecordWriter(name, 'GZIP') as writer:
            for record in records:
                writer.write(record)
    return folder


def test_neither_the_order_of_records_nor_of_fields_nor_the_shards_matter(tmp_path):
    a, b = field('a', 1), field('b', 2)
    one = write(tmp_path / 'one', [a + b, a + field('b', 3)])
    other = write(tmp_path / 'other', [a + field('b', 3)], [b + a])
    assert list(compare_outputs._records('images', one, other)) == []


@pytest.mark.parametrize(
    ('second', 'said'),
    [
        ([field('a', 1), field('a', 3)], '2 and 2 records, 1 of them equal'),
        ([field('a', 1)], '2 and 1 records, 1 of them equal'),
        ([field('a', 1), field('a', 2), field('a', 2)], '2 and 3 records, 2 of them equal'),
    ],
)
def test_changed_lost_and_doubled_records_do(tmp_path, second, said):
    one = write(tmp_path / 'one', [field('a', 1), field('a', 2)])
    assert list(compare_outputs._records('images', one, write(tmp_path / 'other', second))) == [
        f'images, Split-train: {said}'
    ]


def statistics(folder: pathlib.Path, mean: float) -> pathlib.Path:
    proto = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = proto.datasets.add(num_examples=3)
    feature = dataset.features.add(name='width')
    feature.num_stats.common_stats.num_non_missing = 3
    feature.num_stats.mean = mean
    (folder / 'Split-train').mkdir(parents=True)
    (folder / 'Split-train' / 'FeatureStats.pb').write_bytes(proto.SerializeToString())
    return folder


def test_statistics_may_differ_by_the_order_of_their_sums_alone(tmp_path):
    one = statistics(tmp_path / 'one', 100.0)
    assert list(compare_outputs._statistics(one, statistics(tmp_path / 'close', 100.0001))) == []
    (line,) = compare_outputs._statistics(one, statistics(tmp_path / 'other', 100.1))
    assert 'Split-train: width' in line and '100.1' in line


def test_the_newest_artifact_is_the_one_of_the_highest_number(tmp_path):
    for number in (9, 10):
        (tmp_path / 'artifacts' / 'Transform' / 'transformed_examples' / str(number)).mkdir(
            parents=True
        )
    assert compare_outputs.newest(tmp_path, 'Transform', 'transformed_examples').name == '10'
