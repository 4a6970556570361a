"""Hugging Face's image folders and exports of labelling tools, read as they are."""

from __future__ import annotations

import collections
import json
import pathlib
import shutil
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.components.ingestion.images import encoded, picture
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.ingestion.sources import detect_format, list_source
from thawline.components.shared.errors import ConfigError, DataError

IMAGE = encoded(picture(0, (12, 8)), 'PNG')
SPLITS = {'train': range(6), 'validation': range(6, 8), 'test': range(8, 10)}
LABELS = ('ant', 'bee')


def pictures(folder: pathlib.Path, numbers: Iterable[int] = range(10)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f'{number}.png').write_bytes(IMAGE)


def listing(source: pathlib.Path, **options: Any) -> Listing:
    return list_source(SourceSpec(str(source), **options))


def counts(found: Listing) -> dict[tuple[str | None, str | None], int]:
    return dict(collections.Counter((item.split, item.label) for item in found.items))


SPLIT_COUNTS = {
    (split, label): count
    for split, count in (('train', 3), ('val', 1), ('test', 1))
    for label in LABELS
}


def write_table(path: pathlib.Path, rows: list[dict[str, Any]]) -> None:
    if path.suffix == '.parquet':
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == '.jsonl':
        path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    else:
        lines = [','.join(map(str, row.values())) for row in rows]
        path.write_text('\n'.join([','.join(rows[0]), *lines]))


@pytest.mark.parametrize('suffix', ['csv', 'jsonl', 'parquet'])
def test_a_hugging_face_folder_with_a_table_for_each_split(
    tmp_path: pathlib.Path, suffix: str
) -> None:
    for split, numbers in SPLITS.items():
        pictures(tmp_path / split, numbers)
        rows = [{'file_name': f'{n}.png', 'label': LABELS[n % 2], 'site': n} for n in numbers]
        write_table(tmp_path / split / f'metadata.{suffix}', rows)
    assert detect_format(SourceSpec(str(tmp_path))) == 'huggingface'
    found = listing(tmp_path)
    assert counts(found) == SPLIT_COUNTS and found.rejected == ()
    assert found.items[0].relative_path == 'test/8.png'
    assert found.items[0].metadata == {'site': '8'}
    assert (tmp_path / 'train' / f'metadata.{suffix}').read_bytes() in found.manifest
    # One of the tables is a source by itself.
    alone = listing(tmp_path / 'train' / f'metadata.{suffix}')
    assert counts(alone) == {(None, label): 3 for label in LABELS}


def test_a_hugging_face_folder_with_one_table(tmp_path: pathlib.Path) -> None:
    rows = []
    for split, numbers in SPLITS.items():
        pictures(tmp_path / split, numbers)
        rows += [{'file_name': f'{split}/{n}.png', 'label': LABELS[n % 2]} for n in numbers]
    write_table(tmp_path / 'metadata.jsonl', rows)
    assert counts(listing(tmp_path)) == SPLIT_COUNTS
    rows = [{**row, 'split': 'train' if n % 5 else 'test'} for n, row in enumerate(rows)]
    write_table(tmp_path / 'metadata.jsonl', rows)  # what the table says goes before
    assert {split for split, _ in counts(listing(tmp_path))} == {'train', 'test'}


def test_captions_beside_class_folders_are_no_labels(tmp_path: pathlib.Path) -> None:
    for label in LABELS:
        pictures(tmp_path / label, range(3))
    write_table(tmp_path / 'metadata.csv', [{'file_name': 'ant/0.png', 'text': 'an ant'}])
    assert detect_format(SourceSpec(str(tmp_path))) == 'folder'
    with pytest.raises(DataError, match=r'metadata\.csv'):
        listing(tmp_path / 'ant', format='huggingface')


def test_labels_in_a_column_of_another_name(tmp_path: pathlib.Path) -> None:
    pictures(tmp_path)
    rows = [{'file_name': f'{n}.png', 'insect': LABELS[n % 2]} for n in range(10)]
    write_table(tmp_path / 'metadata.jsonl', rows)
    with pytest.raises(DataError, match='no class folders'):
        listing(tmp_path)
    found = listing(tmp_path, columns=Columns(label='insect'))
    assert counts(found) == {(None, label): 5 for label in LABELS}
    found = listing(tmp_path, format='huggingface', columns=Columns(label='insect'))
    assert counts(found) == {(None, label): 5 for label in LABELS}


def test_json_lines_good_and_bad(tmp_path: pathlib.Path) -> None:
    pictures(tmp_path)
    rows = [{'path': f'{n}.png', 'label': LABELS[n % 2], 'tags': ['a']} for n in range(8)]
    write_table(tmp_path / 'list.jsonl', rows)
    with open(tmp_path / 'list.jsonl', 'a') as file:
        file.write('\n{"path": "8.png", \n["9.png"]\n{"path": "9.png", "label": null}\n')
    found = listing(tmp_path / 'list.jsonl')
    assert [(r.path, r.reason) for r in found.rejected] == [
        ('9.png', reasons.NO_LABEL),
        ('list.jsonl:10', reasons.MALFORMED_ROW),
        ('list.jsonl:11', reasons.MALFORMED_ROW),
    ]
    assert found.items[0].metadata == {'tags': '["a"]'}


def test_parquet_that_cannot_be_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'a.parquet').write_bytes(b'PAR1')
    with pytest.raises(DataError, match=r'a\.parquet is no Parquet file'):
        listing(tmp_path / 'a.parquet')
    write_table(tmp_path / 'b.parquet', [{'image': {'bytes': b'x'}, 'label': 1}])
    with pytest.raises(DataError, match="column 'image' holds the images"):
        listing(tmp_path / 'b.parquet')


def roboflow(root: pathlib.Path) -> None:
    for split, numbers in SPLITS.items():
        folder = root / split.replace('validation', 'valid')
        pictures(folder, numbers)
        lines = [f'{n}.png, {1 - n % 2}, {n % 2}' for n in numbers]
        (folder / '_classes.csv').write_text('\n'.join(['filename, ant, bee', *lines]))


def test_classes_of_roboflow(tmp_path: pathlib.Path) -> None:
    roboflow(tmp_path)
    assert detect_format(SourceSpec(str(tmp_path))) == 'roboflow'
    assert counts(listing(tmp_path)) == SPLIT_COUNTS
    alone = listing(tmp_path / 'train' / '_classes.csv')
    assert counts(alone) == {(None, label): 3 for label in LABELS}


def test_rows_of_roboflow_with_no_class_or_several(tmp_path: pathlib.Path) -> None:
    roboflow(tmp_path)
    table = tmp_path / 'train' / '_classes.csv'
    pictures(tmp_path / 'train', (20, 21))
    table.write_text(table.read_text() + '\n20.png, 1, 1\n21.png, 0, 0')
    rejected = {r.path: r for r in listing(tmp_path).rejected}
    several = rejected['train/_classes.csv:8']
    assert several.reason == reasons.MALFORMED_ROW and '20.png has 2 classes' in several.detail
    assert rejected['train/21.png'].reason == reasons.NO_LABEL
    lines = ['filename, Unlabeled, ant, bee', *(f'{n}.png, 1, 0, 0' for n in (20, 21))]
    lines += [f'{n}.png, 0, {1 - n % 2}, {n % 2}' for n in range(6)]
    table.write_text('\n'.join(lines))
    assert counts(listing(tmp_path)) == SPLIT_COUNTS
    table.write_text('filename,ant,bee\n1.png,1,x')
    with pytest.raises(DataError, match=r"_classes.csv, line 2: column 'bee' .*'x'"):
        listing(tmp_path)


def tasks(
    *labels: list[str], image: str = '/data/upload/3/0a1b2c3d-{}.png'
) -> list[dict[str, Any]]:
    """Of Label Studio: task n has the image n, and an annotation by each of its labels."""
    return [
        {
            'id': 7 + n,
            'data': {'image': image.format(n)},
            'annotations': [
                {'completed_by': who,
                 'result': [{'type': 'choices', 'value': {'choices': [label]}}]}
                for who, label in enumerate(of_image)
            ],
        }
        for n, of_image in enumerate(labels)
    ]  # fmt: skip


SURE = [['ant']] * 4 + [['bee']] * 4


@pytest.mark.parametrize(
    'image',
    [
        '/data/upload/3/0a1b2c3d-{}.png', '/data/local-files/?d=photos/{}.png', '{}.png',
        's3://bucket/photos/{}.png', 'http://host/data/upload/0a1b2c3d-{}.png?x=1',
    ],
)  # fmt: skip
def test_an_export_of_label_studio(tmp_path: pathlib.Path, image: str) -> None:
    pictures(tmp_path / 'images')
    export = tmp_path / 'project-1-at-2026-01-01.json'
    export.write_text(json.dumps(tasks(*SURE, image=image)))
    for source in (tmp_path, export):
        assert detect_format(SourceSpec(str(source))) == 'label-studio'
        assert counts(listing(source)) == {(None, label): 4 for label in LABELS}
    assert listing(export).items[0].relative_path == 'images/0.png'
    assert {i.confidence for i in listing(export).items} == {None}
    shutil.move(tmp_path / 'images', tmp_path.parent / f'{tmp_path.name}-elsewhere')
    moved = listing(export, root=str(tmp_path.parent / f'{tmp_path.name}-elsewhere'))
    assert len(moved.items) == 8


def test_annotations_by_several_people_are_votes(tmp_path: pathlib.Path) -> None:
    pictures(tmp_path)
    more = [['ant', 'bee', 'bee'], []]
    (tmp_path / 'export.json').write_text(json.dumps(tasks(*SURE, *more)))
    found = listing(tmp_path)
    voted = next(i for i in found.items if i.relative_path == '8.png')
    assert (voted.label, voted.confidence) == ('bee', pytest.approx(2 / 3))
    assert [(r.path, r.reason) for r in found.rejected] == [('9.png', reasons.NO_LABEL)]
    assert len(found.unlabelled) == 1 and '3 labellers' in found.label_notes[0]


def test_json_min_and_csv_of_label_studio(tmp_path: pathlib.Path) -> None:
    pictures(tmp_path / 'images')
    rows = [
        {'image': f'/data/upload/3/0a1b2c3d-{n}.png', 'id': n, 'choice': LABELS[n % 2],
         'annotator': who, 'annotation_id': 10 * n + who, 'lead_time': 1.5}
        for n in range(8) for who in (1, 2)
    ]  # fmt: skip
    (tmp_path / 'min.json').write_text(json.dumps(rows))
    write_table(tmp_path / 'export.csv', rows)
    for name in ('min.json', 'export.csv'):
        found = listing(tmp_path / name)
        assert counts(found) == {(None, label): 4 for label in LABELS}, name
        assert '2 labellers' in found.label_notes[0] and found.items[0].metadata == {}


def test_bad_tasks_of_label_studio(tmp_path: pathlib.Path) -> None:
    pictures(tmp_path)
    content = tasks(*SURE, ['ant'])
    content[8]['annotations'][0]['result'][0]['value']['choices'].append('bee')
    content.append({'id': 1, 'data': {'text': 'no picture'}, 'annotations': []})
    content.append('a')  # type: ignore[arg-type]
    (tmp_path / 'x.json').write_text(json.dumps(content))
    rejected = {r.path: r.detail for r in listing(tmp_path / 'x.json').rejected}
    assert list(rejected) == ['x.json:10', 'x.json:11', 'x.json:9']
    assert '2 choices: ant, bee' in rejected['x.json:9']
    (tmp_path / 'x.json').write_text(json.dumps(content)[:-9])
    with pytest.raises(DataError, match=r'x\.json is damaged JSON'):
        listing(tmp_path / 'x.json')
    (tmp_path / 'y.json').write_text('[1]')
    with pytest.raises(ConfigError, match=r'y\.json cannot be read'):
        listing(tmp_path / 'y.json')
    with pytest.raises(DataError, match='no export of Label Studio'):
        listing(tmp_path / 'y.json', format='label-studio')


def cvat(root: pathlib.Path, *images: str) -> pathlib.Path:
    (root / 'annotations.xml').write_text(
        f'<?xml version="1.0"?>\n<annotations><version>1.1</version>{"".join(images)}</annotations>'
    )
    return root / 'annotations.xml'


def image_of_cvat(number: int, *labels: str, subset: str = '') -> str:
    tags = ''.join(f'<tag label="{label}" source="manual"/>' for label in labels)
    return f'<image id="{number}" name="{number}.png" {subset}>{tags}</image>'


@pytest.mark.parametrize('folder', ['', 'images'])
def test_an_export_of_cvat(tmp_path: pathlib.Path, folder: str) -> None:
    pictures(tmp_path / folder)
    export = cvat(tmp_path, *(image_of_cvat(n, *labels) for n, labels in enumerate(SURE)))
    for source in (tmp_path, export):
        assert detect_format(SourceSpec(str(source))) == 'cvat'
        assert counts(listing(source)) == {(None, label): 4 for label in LABELS}


@pytest.mark.parametrize('by_subset', [True, False])
def test_subsets_of_cvat_are_splits(tmp_path: pathlib.Path, by_subset: bool) -> None:
    images = []
    for split, numbers in SPLITS.items():
        subset = split.title()
        pictures(tmp_path / 'images' / (subset if by_subset else ''), numbers)
        images += [image_of_cvat(n, LABELS[n % 2], subset=f'subset="{subset}"') for n in numbers]
    assert counts(listing(cvat(tmp_path, *images))) == SPLIT_COUNTS


def test_bad_exports_of_cvat(tmp_path: pathlib.Path) -> None:
    pictures(tmp_path)
    images = [image_of_cvat(n, *labels) for n, labels in enumerate(SURE)]
    found = listing(cvat(tmp_path, *images, image_of_cvat(8, 'ant', 'bee'), image_of_cvat(9)))
    assert {(r.path, r.reason) for r in found.rejected} == {
        ('annotations.xml:9', reasons.MALFORMED_ROW), ('9.png', reasons.NO_LABEL),
    }  # fmt: skip
    (tmp_path / 'annotations.xml').write_text('<annotations><image')
    with pytest.raises(DataError, match=r'annotations\.xml is not XML'):
        listing(tmp_path)


def test_two_exports_in_a_folder_are_not_guessed(tmp_path: pathlib.Path) -> None:
    pictures(tmp_path)
    for name in ('a.json', 'b.json'):
        (tmp_path / name).write_text(json.dumps(tasks(*SURE)))
    assert detect_format(SourceSpec(str(tmp_path))) == 'folder'
    with pytest.raises(DataError, match='name the file'):
        listing(tmp_path, format='label-studio')
