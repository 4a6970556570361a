"""Corrected labels over those of a source: the file, what is refused, what ingestion does."""

from __future__ import annotations

import hashlib
import pathlib

import pytest
import tensorflow as tf

from tests.components.ingestion.images import class_folders
from tests.components.ingestion.ingesting import ingest, strings
from thawline.components.ingestion import fingerprint, label_overlay
from thawline.components.ingestion.label_overlay import Correction
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared import image_table
from thawline.components.shared.errors import DataError

A, B, C = 'a' * 32, 'b' * 32, 'c' * 32


def parse(text: str) -> tuple[Correction, ...]:
    return label_overlay.parse(text.encode(), 'labels.csv')


def identity(file: pathlib.Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:32]


@pytest.mark.parametrize(
    'content',
    [
        f'image_id,label\n{A},cat\n{B},\n'.encode(),
        f'\ufeffimage_id;label\r\n{A.upper()};cat\r\n{B};\r\n'.encode(),
        f'sep=;\nlabel;image_id;who\n cat ;{A};me\n;{B};\n'.encode(),
        f'image_id\tlabel\n{A}\tcat\n{B}\t\n'.encode('utf-16'),
        f'image_id,label,,\n{A},cat,,\n{A},cat,,\n{B},,,\n,,,\n'.encode(),
    ],
)
def test_file_as_people_and_spreadsheets_save_it(content: bytes) -> None:
    rows = label_overlay.parse(content, 'labels.csv')
    assert [(row.image_id, row.label) for row in rows] == [(A, 'cat'), (B, '')]


@pytest.mark.parametrize(
    'content', [b'', b'\xef\xbb\xbf', b'image_id,label,who,when,why\r\n', b'\n']
)
def test_file_without_rows_corrects_nothing(content: bytes) -> None:
    assert label_overlay.parse(content, 'labels.csv') == ()


def test_cells_that_were_made_harmless_are_read_as_they_were() -> None:
    (row,) = parse(f"image_id,label,why\n{A},'=cat,'tis\n")
    assert (row.label, row.why) == ('=cat', "'tis")


@pytest.mark.parametrize(
    ('text', 'parts'),
    [
        (f'image_id,label\n{A},cat\n{B},cat\n{A},dog\n', ('lines 2 and 4', "'cat'", "'dog'")),
        (f'image_id,label\n{A},cat\n{A},\n', ('lines 2 and 3',)),
        ('image_id,label\nx.png,cat\n', ('line 2', "'x.png'")),
        (f'image_id,label\n{A},cat,3\n', ('line 2', '3 cells')),
        (f'image_id,class\n{A},cat\n', ("'label'", 'image_id,class')),
        ('path,label\nx.png,cat\n', ("'image_id'", 'data.labels')),
        (f'image_id,label\n"{A},cat\n', ('quote',)),
    ],
)
def test_damaged_file_is_refused_with_the_line(text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as refused:
        parse(text)
    assert 'labels.csv' in str(refused.value)
    for part in parts:
        assert part in str(refused.value)


def test_missing_file_corrects_nothing(tmp_path: pathlib.Path) -> None:
    assert label_overlay.read(str(tmp_path / 'labels.csv')) == ()


def test_class_that_no_image_of_the_source_has() -> None:
    rows = parse(f'image_id,label\n{A},cat\n{B},dgo\n')
    with pytest.raises(DataError, match="line 3: .*'dgo'.* mean 'dog'"):
        label_overlay.check_classes(rows, ['cat', 'dog'], False, 'labels.csv')
    with pytest.raises(DataError, match="mean 'Cat'"):
        label_overlay.check_classes(rows[:1], ['Cat', 'dog'], False, 'labels.csv')
    assert not label_overlay.check_classes(rows[:1], ['Cat ', 'dog'], True, 'labels.csv')
    new = [Correction(f'{i:032x}', 'emu', line=i) for i in range(3)]
    (note,) = label_overlay.check_classes(new, ['cat', 'dog'], False, 'labels.csv')
    assert "'emu'" in note and '3 images' in note


@pytest.fixture
def source(tmp_path: pathlib.Path) -> pathlib.Path:
    return class_folders(tmp_path / 'images', {'ant': 8, 'bee': 8})


def overlay(tmp_path: pathlib.Path, rows: dict[str, str]) -> str:
    path = tmp_path / 'labels.csv'
    lines = [f'{image},{label}' for image, label in rows.items()]
    path.write_text('\n'.join(['image_id,label', *lines]))
    return str(path)


def test_labels_are_corrected_confirmed_and_images_left_out(
    source: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    first, second, third = (identity(source / 'ant' / f'00{n}.png') for n in range(3))
    labels = overlay(tmp_path, {first: 'bee', second: 'ant', third: '', C: 'bee'})
    by_split, summary, _ = ingest(SourceSpec(str(source), labels=labels), tmp_path / 'run')
    written = [example for split in by_split.values() for example in split]
    by_id = dict(zip(strings(written, 'image_id'), strings(written, 'label'), strict=True))
    assert (by_id[first], by_id[second]) == ('bee', 'ant') and third not in by_id
    assert not any('source_label' in example.features.feature for example in written)
    assert summary['reasons'] == {'left out by hand': 1} and summary['written'] == 15
    notes = ' '.join(summary['labels'])
    assert '3 labels, 1 corrected, 1 confirmed, 1 of no class' in notes
    assert f'line 5: {C}' in notes
    table = image_table.read(str(tmp_path / 'run' / 'examples'))
    assert table is not None
    corrected = {row['image_id']: row['source_label'] for row in table.to_pylist()}
    assert {image: label for image, label in corrected.items() if label} == {first: 'ant'}
    (split,) = [row['split'] for row in table.to_pylist() if row['image_id'] == first]
    assert image_table.count_corrected(table) == {split: 1}


def test_class_that_was_renamed_image_by_image_is_not_lost(
    source: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    renamed = {identity(file): 'wasp' for file in (source / 'bee').iterdir()}
    spec = SourceSpec(str(source), labels=overlay(tmp_path, renamed))
    _, summary, _ = ingest(spec, tmp_path / 'run')
    assert {name for split in summary['splits'].values() for name in split} == {'ant', 'wasp'}
    assert any("the class 'bee'" in note for note in summary['labels'])


def test_rows_of_a_csv_without_a_label_are_given_one(
    source: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    files = sorted(source.rglob('*.png'))
    rows = [f'{f.relative_to(source)},{f.parent.name}' for f in files[:-2]]
    rows += [f'{f.relative_to(source)},' for f in files[-2:]]
    manifest = source / 'table.csv'
    manifest.write_text('\n'.join(['path,label', *rows]))
    spec = SourceSpec(str(manifest), labels=overlay(tmp_path, {identity(files[-1]): 'bee'}))
    _, summary, _ = ingest(spec, tmp_path / 'run')
    assert summary['written'] == 15 and summary['reasons'] == {'no label': 1}
    assert any('1 given to unlabelled images' in note for note in summary['labels'])
    without = list_source(SourceSpec(str(manifest)))
    assert (len(without.items), len(without.rejected)) == (14, 2)


def test_records_without_a_label_are_given_one(
    source: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    files = sorted(source.rglob('*.png'))
    path = tmp_path / 'x.tfrecord'
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, file in enumerate(files):
            example = tf.train.Example()
            feature = example.features.feature
            feature['image'].bytes_list.value.append(file.read_bytes())
            if number < 14:
                feature['label'].bytes_list.value.append(file.parent.name.encode())
            writer.write(example.SerializeToString())
    labels = overlay(tmp_path, {identity(files[-1]): 'bee'})
    _, summary, _ = ingest(SourceSpec(str(path), labels=labels), tmp_path / 'run')
    assert summary['written'] == 15 and summary['reasons'] == {'no label': 1}
    overlay(tmp_path, {identity(files[-1]): 'be'})
    with pytest.raises(DataError, match="line 2: .*mean 'bee'"):
        ingest(SourceSpec(str(path), labels=labels), tmp_path / 'other')


def test_corrected_label_is_certain(source: pathlib.Path, tmp_path: pathlib.Path) -> None:
    files = sorted(source.rglob('*.png'))
    rows = [f'{f.relative_to(source)},{f.parent.name},0.5' for f in files]
    manifest = source / 'table.csv'
    manifest.write_text('\n'.join(['path,label,p', *rows]))
    labels = overlay(tmp_path, {identity(files[0]): 'bee'})
    spec = SourceSpec(str(manifest), columns=Columns(confidence='p'), labels=labels)
    by_split, _, _ = ingest(spec, tmp_path / 'run')
    certain = [
        example.features.feature['image_id'].bytes_list.value[0].decode()
        for split in by_split.values()
        for example in split
        if example.features.feature['label_confidence'].float_list.value[0] == 1.0
    ]
    assert certain == [identity(files[0])]


def test_what_of_the_file_decides_an_ingestion(
    source: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    image = identity(source / 'ant' / '000.png')
    spec = SourceSpec(str(source), labels=overlay(tmp_path, {image: 'bee'}))

    def key() -> str:
        digests = fingerprint.ContentDigests(tmp_path)
        return fingerprint.fingerprint(list_source(spec), digests)

    corrected = key()
    (tmp_path / 'labels.csv').write_text(f'image_id;label;who\r\n{image};bee;me')
    assert key() == corrected
    overlay(tmp_path, {image: ''})
    left_out = key()
    (tmp_path / 'labels.csv').unlink()
    assert len({corrected, left_out, key()}) == 3
