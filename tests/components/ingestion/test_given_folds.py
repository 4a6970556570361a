"""Folds that the source gives: read from tables and records, kept, and refused where they leak."""

from __future__ import annotations

import collections
import pathlib

import pydantic
import pytest
import tensorflow as tf

from tests.components.ingestion.images import class_folders, encoded, picture
from tests.components.ingestion.ingesting import ingest
from thawline.components.ingestion import clusters
from thawline.components.ingestion.near_duplicates import Pair
from thawline.components.ingestion.params import Columns, Data, Split
from thawline.components.ingestion.quarantine import LEAK
from thawline.components.ingestion.readable_image import ReadableImage
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.ingestion.split_plan import SplitPlan, plan_splits
from thawline.components.shared import image_table
from thawline.components.shared.errors import ConfigError, DataError

AUTO = Split(folds='auto')


def image(number: int, fold: str | None, label: str | None = None, **values: str) -> ReadableImage:
    name = f'{number:03d}'
    label = 'ab'[number % 2] if label is None else label or None
    return ReadableImage(f'{name}.png', name, values.get('group'), label, values.get('split'),
                         fold=fold)  # fmt: skip


def images(*folds: str, count: int = 24) -> list[ReadableImage]:
    return [image(i, folds[i // 2 % len(folds)]) for i in range(count)]


def plan(rows: list[ReadableImage], split: Split = AUTO) -> SplitPlan:
    return plan_splits(rows, split, False)


def numbers(rows: list[ReadableImage], made: SplitPlan) -> dict[str, set[int | None]]:
    """The numbers that each named fold got."""
    result: dict[str, set[int | None]] = collections.defaultdict(set)
    for row in rows:
        result[row.fold or ''].add(made.fold_of(row.key))
    return dict(result)


@pytest.mark.parametrize(
    ('names', 'order'),
    [
        (('c', 'a', 'b'), {'a': 0, 'b': 1, 'c': 2}),
        (('10', '9', '2', '1'), {'1': 0, '2': 1, '9': 2, '10': 3}),  # as numbers
        (('x', '7', '30'), {'7': 0, '30': 1, 'x': 2}),
    ],
)
def test_folds_are_kept_and_numbered_by_name(names: tuple[str, ...], order: dict[str, int]) -> None:
    rows = images(*names)
    for split in (AUTO, Split(folds=len(names))):
        made = plan(rows, split)
        assert numbers(rows, made) == {name: {number} for name, number in order.items()}
        assert made.partition.splits == ['train', 'val'] and made.notes == ()


def test_other_numbers_of_folds_are_refused() -> None:
    with pytest.raises(DataError, match='gives 2 folds .*it must give 3 to 20'):
        plan(images('a', 'b'))
    with pytest.raises(DataError, match='gives 21 folds'):
        plan(images(*map(str, range(21)), count=84))
    with pytest.raises(DataError, match=r'data.split.folds is 5, but data.columns.fold gives 3'):
        plan(images('a', 'b', 'c'), Split(folds=5))


def test_an_image_without_a_fold_is_named() -> None:
    rows = [*images('a', 'b', 'c'), image(30, None), image(31, None)]
    with pytest.raises(DataError, match='2 labelled images have no fold .*030.png, 031.png'):
        plan(rows)


def test_unlabelled_images_and_test_images_need_no_fold() -> None:
    rows = [*images('a', 'b', 'c'), *(image(i, None, '') for i in range(40, 49))]
    rows += [image(i, None, split='test') for i in range(50, 54)]
    rows += [image(60, 'a', split='test'), image(61, 'a', split='train')]
    made = plan(rows)
    assert made.partition.folds == 3 and made.partition.splits == ['train', 'val', 'test']
    by_path = {row.path: made.part_of(row.key) for row in rows}
    assert all(by_path[f'0{i}.png'] == 'test' for i in (50, 51, 52, 53, 60))
    assert by_path['061.png'] == '0'  # given train or val say nothing beside a fold
    assert {by_path[f'0{i}.png'] for i in range(40, 49)} <= {'0', '1', '2', 'test'}


def test_a_group_in_two_given_folds_is_refused() -> None:
    rows = [*images('a', 'b', 'c'), image(30, 'a', group='g'), image(31, 'c', group='g')]
    with pytest.raises(
        DataError, match=r"'g' is in fold 0 and fold 2 \(030.png, 031.png .*the same fold"
    ):
        plan(rows)


def test_a_copy_in_another_given_fold_is_quarantined() -> None:
    rows = images('a', 'b', 'c')
    copy = ReadableImage('copy.png', rows[0].image_id, None, rows[0].label, fold='c')
    made = plan([*rows, copy])
    assert [(gone.path, gone.reason) for gone in made.rejected] == [('copy.png', LEAK)]
    assert made.fold_of(rows[0].key) == 0


def test_near_duplicates_in_two_given_folds_are_kept_and_noted() -> None:
    rows = images('a', 'b', 'c')
    one, other, third = rows[0].image_id, rows[2].image_id, rows[6].image_id
    near = clusters.tie(rows, [Pair(one, other, 0.99), Pair(one, third, 0.99)])
    made = plan_splits(rows, AUTO, False, ties=near.ties)
    assert numbers(rows, made) == {'a': {0}, 'b': {1}, 'c': {2}}
    assert near.leaders.keys() == {one, third}
    (pair,) = near.contradictions
    assert (pair.first_value, pair.second_value) == ('fold a', 'fold b')
    (note,) = (note for note in near.notes if 'different folds' in note)
    assert '000.png and 002.png' in note and 'is kept' in note


def test_a_fold_that_only_copies_had_is_refused() -> None:
    rows = images('a', 'b', 'd')
    copies = [
        ReadableImage(f'z{i}.png', row.image_id, None, row.label, fold='c')
        for i, row in enumerate(rows[:2])
    ]
    with pytest.raises(DataError, match='1 of 4 folds would have no labelled image'):
        plan([*rows, *copies])


@pytest.mark.parametrize(
    ('split', 'message'),
    [
        ({'folds': 0}, 'split.folds is 0; set split.folds: auto'),
        ({'folds': 'auto', 'test': 0.15}, 'split.test is 0.15'),
    ],
)
def test_settings_that_contradict_given_folds(split: dict[str, object], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        Data(source='x', columns=Columns(fold='cv'), split=Split(**split))
    Data(source='x', columns=Columns(fold='cv'), split=Split(folds='auto', test=0.0))


def test_other_sources_have_no_folds(tmp_path: pathlib.Path) -> None:
    root = class_folders(tmp_path, {'a': 4, 'b': 4})
    with pytest.raises(ConfigError, match='data.columns.fold is for tables of images'):
        list_source(SourceSpec(str(root), columns=Columns(fold='cv')))


def folds_by_path(out: pathlib.Path) -> dict[str, int]:
    table = image_table.read(str(out / 'examples'))
    assert table is not None
    return {row['path']: row['fold'] for row in table.to_pylist()}


def test_a_table_with_folds(tmp_path: pathlib.Path) -> None:
    root = class_folders(tmp_path / 'data', {'a': 9, 'b': 9})
    rows = [f'{c}/{i:03d}.png,{c},part {i % 3},train,{i}' for c in 'ab' for i in range(9)]
    file = root / 'labels.csv'
    file.write_text('\n'.join(['path,label,cv,split,age', *rows]))
    spec = SourceSpec(str(file), columns=Columns(fold='cv'))
    listing = list_source(spec)
    assert listing.columns is not None and listing.columns.metadata == ('split', 'age')
    ingest(spec, tmp_path, split=AUTO)
    assert folds_by_path(tmp_path) == {f'{c}/{i:03d}.png': i % 3 for c in 'ab' for i in range(9)}
    missing = SourceSpec(str(file), columns=Columns(fold='folds'))
    with pytest.raises(DataError, match=r"no column 'folds'.*data.columns.fold"):
        list_source(missing)
    none = [f'{c}/{i:03d}.png,{c},' for c in 'ab' for i in range(3)]
    file.write_text('\n'.join(['path,label,cv', *none]))
    with pytest.raises(DataError, match='No image has a fold'):
        ingest(spec, tmp_path / 'empty', split=AUTO)


def test_records_with_folds(tmp_path: pathlib.Path) -> None:
    file = tmp_path / 'images.tfrecord'
    with tf.io.TFRecordWriter(str(file)) as writer:
        for number in range(18):
            feature = {
                'image': tf.train.BytesList(value=[encoded(picture(number), 'PNG')]),
                'label': tf.train.BytesList(value=[b'ab'[number % 2 :][:1]]),
            }
            features = {name: tf.train.Feature(bytes_list=of) for name, of in feature.items()}
            fold = tf.train.Int64List(value=[5 + number // 2 % 3])
            features['cv'] = tf.train.Feature(int64_list=fold)
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    ingest(SourceSpec(str(file), columns=Columns(fold='cv')), tmp_path, split=AUTO)
    assert folds_by_path(tmp_path) == {
        f'images.tfrecord#{number:06d}': number // 2 % 3 for number in range(18)
    }
