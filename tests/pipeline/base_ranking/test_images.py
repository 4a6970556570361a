"""The sample: what was ingested comes back, classes in their shares, the same every time."""

from __future__ import annotations

import pathlib

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from thawline.components.shared.errors import DataError
from thawline.pipeline.base_ranking import images


def write(folder: pathlib.Path, rows: list[tuple[str, str | None, str]]) -> pathlib.Path:
    """Writes (id, label, group) as ingestion does; an image's bytes are its id."""
    folder.mkdir(parents=True, exist_ok=True)
    options = tf.io.TFRecordOptions(compression_type='GZIP')
    with tf.io.TFRecordWriter(str(folder / 'data_tfrecord-0.gz'), options) as writer:
        for identity, label, group in rows:
            example = tf.train.Example()
            texts = {'image': identity, 'image_id': identity, 'group': group, 'label': label}
            for name, text in texts.items():
                if text is not None:
                    example.features.feature[name].bytes_list.value.append(text.encode())
            writer.write(example.SerializeToString())
    return folder


def test_images_come_back_with_their_labels_and_groups(tmp_path):
    rows = [(f'{i:03d}', 'äb'[i % 2], f'g{i // 3}') for i in range(30)]
    sample = images.load_sample(
        [
            write(tmp_path / 'train', [*reversed(rows[6:]), ('x', None, 'g')]),
            write(tmp_path / 'val', rows[:6]),
        ],
        100, 0, 5,
    )  # fmt: skip
    assert sample.available == len(sample.images) == 30, 'without a label it is left out'
    assert sample.classes == ('b', 'ä')
    assert list(zip(sample.images.ids, sample.groups, strict=True)) == [
        (i.encode(), g) for i, _, g in rows
    ]
    assert [sample.classes[n] for n in sample.images.labels] == [label for _, label, _ in rows]
    assert [e.decode() for e in sample.images.values] == [i for i, _, _ in rows]


def test_copies_of_one_file_share_an_id(tmp_path):
    rows = [('same', 'a', 'g'), ('same', 'a', 'g'), ('other', 'b', 'h')]
    sample = images.load_sample([write(tmp_path, rows)], 10, 0, 5)
    assert sorted(sample.images.values) == [b'other', b'same', b'same']


@pytest.mark.parametrize('rows', [[('1', None, 'g')], [('1', 'a', 'g'), ('2', 'a', 'h')]])
def test_without_two_classes_there_is_nothing_to_compare(tmp_path, rows):
    with pytest.raises(DataError, match='comparison of bases needs'):
        images.load_sample([write(tmp_path, rows)], 10, 0, 5)


@hypothesis.given(
    st.lists(st.integers(1, 80), min_size=2, max_size=5), st.integers(1, 200), st.integers(0, 3)
)
def test_a_sample_keeps_the_shares_of_classes(sizes, count, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rows = images.stratified_sample(labels, count, seed, at_least=5)
    assert len(rows) == len(set(rows)) == min(count, len(labels))
    np.testing.assert_array_equal(rows, images.stratified_sample(labels, count, seed, at_least=5))
    if count >= 5 * len(sizes):
        kept = np.bincount(labels[rows], minlength=len(sizes))
        assert (kept >= np.minimum(5, sizes)).all()


def test_shares_are_exact_to_an_image_where_no_class_is_rare():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    kept = np.bincount(labels[images.stratified_sample(labels, 200, 0, at_least=5)])
    assert np.abs(kept - [120, 60, 20]).max() <= 1
    other = images.stratified_sample(labels, 200, 1, at_least=5)
    assert set(other) != set(images.stratified_sample(labels, 200, 0, at_least=5))
