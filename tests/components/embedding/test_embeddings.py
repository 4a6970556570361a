"""The files: what is written is read, in the order of the ids; what is damaged is told."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from thawline.components.embedding import embeddings
from thawline.components.shared.errors import DataError
from thawline.components.shared.feature_key import FeatureKey
from thawline.components.shared.labelled_set import LabelledSet

SPEC = embeddings.Spec(
    dimension=3,
    views=1,
    counts={'train': 4},
    backbone='mobilenet_v2',
    weights='imagenet',
    weights_digest='abc',
    image_size=32,
    features='top',
    augmentation='light',
    seed=0,
    seconds=1.5,
    key=FeatureKey('abc', 'top', 32, 'crop', 'def', '{"keras": "3.15.1"}'),
)
FLOATS = st.floats(width=32, allow_nan=False)


def write(
    uri: pathlib.Path, records: list[list[bytes]], spec: embeddings.Spec = SPEC
) -> list[pathlib.Path]:
    """Writes serialized examples of train, a list a shard; returns the shards."""
    embeddings.write_spec(str(uri), spec)
    folder = pathlib.Path(embeddings.split_folder(str(uri), 'train'))
    folder.mkdir()
    paths = []
    for number, shard in enumerate(records):
        paths.append(folder / f'embeddings-{number:05}-of-{len(records):05}')
        with tf.io.TFRecordWriter(str(paths[-1])) as writer:
            for record in shard:
                writer.write(record)
    return paths


CONFIDENCE = np.array([0.25, 1.0, 0.5, 0.75], np.float32)


def examples(n: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[bytes]]:
    """Ids (not sorted), labels, features and the same serialized."""
    ids = np.array([f'{i}'.encode() for i in reversed(range(n))], object)
    labels = np.arange(n) - 1
    features = np.random.default_rng(0).normal(size=(n, 2, 3)).astype(np.float32)
    data = LabelledSet(features, labels, ids, CONFIDENCE[:n])
    return ids, labels, features, embeddings.encode(data)


@hypothesis.given(
    st.lists(st.binary(max_size=40), max_size=12, unique=True).flatmap(
        lambda ids: st.tuples(
            st.just(ids),
            hnp.arrays(np.int64, len(ids)),
            hnp.arrays(np.float32, len(ids), elements=st.floats(0.125, 1.0, width=32)),
            st.tuples(st.integers(1, 3), st.integers(1, 9)).flatmap(
                lambda shape: hnp.arrays(np.float32, (len(ids), *shape), elements=FLOATS)
            ),
        )
    )
)
def test_codec_loses_nothing(
    drawn: tuple[list[bytes], np.ndarray, np.ndarray, np.ndarray],
) -> None:
    ids, labels, confidence, features = drawn
    data = LabelledSet(features, labels, np.array(ids, object), confidence)
    records = embeddings.encode(data)
    assert len(records) == len(ids)
    rows = zip(records, ids, labels, confidence, features, strict=True)
    for record, image_id, label, sure, feature in rows:
        found = tf.train.Example.FromString(record).features.feature
        assert found['image_id'].bytes_list.value[:] == [image_id]
        assert found['label_index'].int64_list.value[:] == [label]
        assert found['label_confidence'].float_list.value[:] == [sure]
        np.testing.assert_array_equal(found['embedding'].float_list.value, feature.reshape(-1))


@pytest.mark.parametrize('shards', [1, 3, 6])
def test_order_does_not_depend_on_the_files(shards: int, tmp_path: pathlib.Path) -> None:
    ids, labels, features, records = examples()
    rows = np.random.default_rng(shards).permutation(4)
    write(tmp_path, [[records[i] for i in part] for part in np.array_split(rows, shards)])
    data = embeddings.load(str(tmp_path), 'train')
    np.testing.assert_array_equal(data.values, features[::-1], strict=True)
    np.testing.assert_array_equal(data.labels, labels[::-1], strict=True)
    assert data.ids.tolist() == ids[::-1].tolist()
    np.testing.assert_array_equal(data.confidence, CONFIDENCE[::-1], strict=True)


def test_spec_is_read_as_it_was_written(tmp_path: pathlib.Path) -> None:
    embeddings.write_spec(str(tmp_path), SPEC)
    assert embeddings.read_spec(str(tmp_path)) == SPEC
    assert (SPEC.rows('train'), SPEC.rows('val')) == (2, 1)


def test_spec_of_an_older_version_has_no_key(tmp_path: pathlib.Path) -> None:
    file = tmp_path / embeddings.SPEC_FILE
    embeddings.write_spec(str(tmp_path), SPEC)
    values = json.loads(file.read_text('utf-8'))
    del values['key']['resize']
    file.write_text(json.dumps(values), 'utf-8')
    assert embeddings.read_spec(str(tmp_path)) == dataclasses.replace(SPEC, key=None)
    del values['key']
    file.write_text(json.dumps(values), 'utf-8')
    assert embeddings.read_spec(str(tmp_path)) == dataclasses.replace(SPEC, key=None)


@pytest.mark.parametrize('text', [None, '', '{', '[]', '{"dimension": 3}'])
def test_what_is_no_spec_is_told(text: str | None, tmp_path: pathlib.Path) -> None:
    if text is not None:
        (tmp_path / embeddings.SPEC_FILE).write_text(text)
    with pytest.raises(DataError, match=r'embeddings\.json does not describe embeddings'):
        embeddings.read_spec(str(tmp_path))


def test_unknown_split_is_told(tmp_path: pathlib.Path) -> None:
    embeddings.write_spec(str(tmp_path), SPEC)
    with pytest.raises(DataError, match="embeddings of train.*Received: split='eval'"):
        embeddings.load(str(tmp_path), 'eval')


def test_missing_images_are_told(tmp_path: pathlib.Path) -> None:
    write(tmp_path, [examples()[3][:3]])
    with pytest.raises(DataError, match='holds 3 of 4 images; .*--no-cache'):
        embeddings.load(str(tmp_path), 'train')


@pytest.mark.parametrize('kind', ['truncated', 'flipped', 'not a record', 'other width'])
def test_damaged_file_is_named(kind: str, tmp_path: pathlib.Path) -> None:
    width = 4 if kind == 'other width' else 3
    good, bad = write(
        tmp_path, [examples()[3][:2], examples()[3][2:]], dataclasses.replace(SPEC, dimension=width)
    )
    content = bad.read_bytes()
    if kind == 'truncated':
        bad.write_bytes(content[:-5])
    elif kind == 'flipped':
        bad.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    elif kind == 'not a record':
        bad.write_bytes(json.dumps({'what': 'is this?'}).encode())
    named = good if kind == 'other width' else bad
    with pytest.raises(DataError, match=f'{named.name} is damaged or does not hold embeddings'):
        embeddings.load(str(tmp_path), 'train')
