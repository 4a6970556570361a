"""ImageExampleGen with folds: what it writes, from files to the table of the images."""

from __future__ import annotations

import collections
import pathlib

import pyarrow as pa
import pytest
import tensorflow as tf

from tests.components.ingestion.images import class_folders
from tests.components.ingestion.ingesting import ingest, strings
from thawline.components.ingestion.params import Split
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared import image_table
from thawline.components.shared.errors import DataError


def folds_of(examples: list[tf.train.Example]) -> list[int | None]:
    """The feature of each example."""
    values = (e.features.feature['fold'].int64_list.value for e in examples)
    return [value[0] if value else None for value in values]


def table_of(folder: pathlib.Path) -> pa.Table:
    table = image_table.read(str(folder / 'examples'))
    assert table is not None
    return table


def test_folds_without_test(tmp_path: pathlib.Path) -> None:
    spec = SourceSpec(str(class_folders(tmp_path / 'data', {'a': 10, 'b': 15})))
    found, summary, _ = ingest(spec, tmp_path, split=Split(folds=5))
    assert list(found) == ['train', 'val'] == list(summary['splits']) and summary['folds'] == 5
    assert set(folds_of(found['val'])) == {0} and set(folds_of(found['train'])) == {1, 2, 3, 4}
    assert summary['splits']['val'] == {'a': 2, 'b': 3}
    table = table_of(tmp_path)
    assert table.schema.field('fold').type == pa.int64()
    rows = {row['image_id']: row for row in table.to_pylist()}
    for split, examples in found.items():
        for image, fold in zip(strings(examples, 'image_id'), folds_of(examples), strict=True):
            assert (rows[image]['split'], rows[image]['fold']) == (split, fold)
    counts = collections.Counter((row['label'], row['fold']) for row in rows.values())
    assert counts == {(c, fold): n for c, n in (('a', 2), ('b', 3)) for fold in range(5)}


def test_test_images_are_in_no_fold(tmp_path: pathlib.Path) -> None:
    spec = SourceSpec(str(class_folders(tmp_path / 'data', {'a': 20, 'b': 20})))
    found, summary, _ = ingest(spec, tmp_path, split=Split(folds=4, test=0.2))
    assert {split: len(examples) for split, examples in found.items()} == {
        'train': 24, 'val': 8, 'test': 8
    }  # fmt: skip
    assert not any('fold' in example.features.feature for example in found['test'])
    folds = {row['path']: row['fold'] for row in table_of(tmp_path).to_pylist()}
    assert {folds[path] for path in strings(found['test'], 'path')} == {None}
    assert summary['folds'] == 4


def test_one_image_of_a_class(tmp_path: pathlib.Path) -> None:
    root = str(class_folders(tmp_path / 'data', {'a': 10, 'b': 10, 'c': 1}))
    with pytest.raises(DataError, match="'c' has 1"):
        list_source(SourceSpec(root))
    spec = SourceSpec(root, small_classes=True)
    found, summary, _ = ingest(spec, tmp_path, split=Split(folds=5))
    assert strings(found['train'], 'label').count('c') == 1
    assert any('one fold only' in note and note.endswith(': c') for note in summary['notes'])


def test_no_folds_leave_no_trace(tmp_path: pathlib.Path) -> None:
    spec = SourceSpec(str(class_folders(tmp_path / 'data', {'a': 20, 'b': 20})))
    found, summary, _ = ingest(spec, tmp_path, split=Split(folds=0))
    assert list(found) == ['train', 'val', 'test'] and summary['folds'] == 0
    assert not any('fold' in e.features.feature for examples in found.values() for e in examples)
    assert table_of(tmp_path)['fold'].null_count == 40
