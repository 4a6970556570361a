"""Queues in the formats of labelling tools, and what the tools export."""

from __future__ import annotations

import base64
import csv
import io
import json
import pathlib
import xml.etree.ElementTree as ET
import zipfile
from typing import Any

import pytest

from thawline.components.shared.errors import ConfigError, DataError, NotFound
from thawline.pipeline.labels import formats
from thawline.pipeline.labels.exchange import LEAVE_OUT, QueuedImage

A, B, C = 'a' * 32, 'b' * 32, 'c' * 32
JPEG, PNG = b'\xff\xd8 jpeg', b'\x89PNG png'
QUEUE = [
    QueuedImage(A, 'ants/1.jpg', 'train', 'ants', 'bees', 'suspect', JPEG),
    QueuedImage(B, 'bees/=2.png', 'val', 'bees', '', 'drawn', PNG),
    QueuedImage(C, 'new.jpg', '', '', '', 'without a label', JPEG),
]
CLASSES = ['ants', 'bees']
TAGS = '<tag label="a"/><tag label="b"/>'
TWO_TAGS = f'<annotations><image name="{A}.jpg">{TAGS}</image></annotations>'


def answers(path: pathlib.Path, kind: str | None = None) -> dict[str, str]:
    return {answer.image_id: answer.label for answer in formats.read(path, kind)}


def saved(tmp_path: pathlib.Path, content: Any, name: str = 'export.json') -> pathlib.Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def task(image_id: str, *labels: str, **annotation: Any) -> dict[str, Any]:
    """A task as Label Studio exports it as JSON, with an annotation for each label."""
    return {
        'id': 1,
        'data': {'image': 'data:image/png;base64,', 'image_id': image_id},
        'annotations': [
            {
                'completed_by': {'id': 3, 'email': 'ada@example.com'},
                'was_cancelled': False,
                'updated_at': '2026-11-30T10:00:00Z',
                'result': [
                    {
                        'from_name': 'label', 'to_name': 'image', 'type': 'choices',
                        'value': {'choices': [label]},
                    }
                ],
                **annotation,
            }
            for label in labels
        ],
    }  # fmt: skip


def test_label_studio_tasks_carry_picture_label_and_prediction(tmp_path: pathlib.Path) -> None:
    formats.write('label-studio', QUEUE, CLASSES, tmp_path / 'q.json', ())
    first, second, third = json.loads((tmp_path / 'q.json').read_text())
    kind, _, picture = first['data']['image'].partition(',')
    assert (kind, base64.b64decode(picture)) == ('data:image/jpeg;base64', JPEG)
    assert second['data']['image'].startswith('data:image/png')
    assert first['data']['image_id'] == A and first['data']['present_label'] == 'ants'
    guesses = [
        [r['value']['choices'] for p in t.get('predictions', ()) for r in p['result']]
        for t in (first, second, third)
    ]
    assert guesses == [[['bees']], [['bees']], []]
    config = ET.parse(tmp_path / 'q.xml').getroot()
    choices = [choice.get('value') for choice in config.iter('Choice')]
    assert choices == [*CLASSES, LEAVE_OUT]
    (control,) = config.iter('Choices')
    result = first['predictions'][0]['result'][0]
    assert (control.get('name'), control.get('toName')) == (result['from_name'], result['to_name'])


@pytest.mark.parametrize('name', ['.', 'folder', 'queue.xml'])
def test_label_studio_needs_a_name_beside_which_its_interface_fits(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'folder').mkdir()
    with pytest.raises(ConfigError, match='no name for the file queue.json'):
        formats.write('label-studio', QUEUE, CLASSES, pathlib.Path(name), ())
    assert [path.name for path in tmp_path.rglob('*')] == ['folder']


def test_label_studio_json(tmp_path: pathlib.Path) -> None:
    content = [
        task(A, 'bees'), task(B, LEAVE_OUT), task(C), task('d' * 32, 'ants', was_cancelled=True)
    ]  # fmt: skip
    path = saved(tmp_path, content)
    assert answers(path) == answers(path, 'label-studio') == {A: 'bees', B: ''}
    (first, _) = formats.read(path)
    assert (first.who, first.when[:10], first.explicit) == ('ada@example.com', '2026-11-30', True)


def test_a_file_with_answers_is_not_replaced_by_tasks(tmp_path: pathlib.Path) -> None:
    """What Label Studio exported may have the name of the queue."""
    out = tmp_path / 'queue.json'
    formats.write('label-studio', QUEUE, CLASSES, out, ())
    formats.write('label-studio', QUEUE, CLASSES, out, ())  # tasks alone are no answers
    tasks = json.loads(out.read_text())
    done = {'from_name': 'label', 'type': 'choices', 'value': {'choices': ['bees']}}
    tasks[0]['annotations'] = [{'result': [done]}]
    for content, said in (
        (json.dumps(tasks), '1 answer that would be lost'),
        ('{"name": "Ada"}', 'no queue'),
        ('[1, 2', 'no queue'),
    ):
        out.write_text(content)
        with pytest.raises(ConfigError, match=said):
            formats.write('label-studio', QUEUE, CLASSES, out, ())
        assert out.read_text() == content
    out.write_text(json.dumps(tasks))
    formats.write('label-studio', QUEUE, CLASSES, out, [tasks[0]['data']['image_id']])
    assert 'annotations' not in json.loads(out.read_text())[0]


def test_label_studio_json_min(tmp_path: pathlib.Path) -> None:
    content = [
        {'image_id': A, 'id': 1, 'label': 'bees', 'annotator': 3, 'annotation_id': 1},
        {'image_id': B, 'id': 2, 'label': {'choices': ['ants']}, 'annotation_id': 2},
        {'image_id': C, 'id': 3, 'annotation_id': 3},
    ]
    found = formats.read(saved(tmp_path, content))
    assert [(a.image_id, a.label, a.who) for a in found] == [
        (A, 'bees', 'annotator 3'), (B, 'ants', '')
    ]  # fmt: skip


def test_cvat_round_trip(tmp_path: pathlib.Path) -> None:
    out = tmp_path / 'cvat'
    formats.write('cvat', QUEUE, CLASSES, out, ())
    with zipfile.ZipFile(out / 'images.zip') as archive:
        names = archive.namelist()
        assert archive.read(names[1]) == PNG and names[0].endswith(f'{A}.jpg')
    root = ET.parse(out / 'annotations.xml').getroot()
    assert [image.get('name') for image in root.iter('image')] == names == sorted(names)
    labels = json.loads((out / 'task_labels.json').read_text())
    assert [label['name'] for label in labels] == [*CLASSES, LEAVE_OUT]
    assert answers(out) == {A: 'ants', B: 'bees'}
    assert not any(answer.explicit for answer in formats.read(out))
    with zipfile.ZipFile(tmp_path / 'export.zip', 'w') as archive:
        archive.write(out / 'annotations.xml', 'annotations.xml')
    assert answers(tmp_path / 'export.zip', 'cvat') == {A: 'ants', B: 'bees'}
    with pytest.raises(ConfigError, match='exists'):
        formats.write('cvat', QUEUE, CLASSES, out, ())


def test_fiftyone_round_trip(tmp_path: pathlib.Path) -> None:
    out = tmp_path / 'fiftyone'
    formats.write('fiftyone', QUEUE, CLASSES, out, ())
    assert (out / 'data' / f'{A}.jpg').read_bytes() == JPEG
    assert answers(out) == answers(out / 'labels.json') == {A: 'ants', B: 'bees'}
    content = {'classes': [], 'labels': {A: {'label': 'bees', 'confidence': 0.9}, B: 'ants'}}
    assert answers(saved(tmp_path, content)) == {A: 'bees', B: 'ants'}


def test_folder_of_classes_and_a_zip_of_it(tmp_path: pathlib.Path) -> None:
    for name in (f'bees/{A}.jpg', f'ants/ants_00001_{B}.png', f'_unlabeled/{C}.jpg'):
        (tmp_path / 'tree' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'tree' / name).write_bytes(JPEG)
    assert answers(tmp_path / 'tree') == {A: 'bees', B: 'ants'}
    with zipfile.ZipFile(tmp_path / 'tree.zip', 'w') as archive:
        for file in (tmp_path / 'tree').rglob('*.*'):
            archive.write(file, file.relative_to(tmp_path / 'tree'))
    assert answers(tmp_path / 'tree.zip') == {A: 'bees', B: 'ants'}


def test_csv_round_trip_escapes_formulas(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'q.csv'
    queue = [QueuedImage(A, '=cmd()', 'train', '@x', '-y', '+z')]
    formats.write('csv', queue, CLASSES, path, ())
    (row,) = csv.DictReader(io.StringIO(path.read_text()))
    assert [row[key] for key in ('path', 'label', 'suggested', 'why')] == [
        "'=cmd()", "'@x", "'-y", "'+z"
    ]  # fmt: skip
    with pytest.raises(DataError, match='no answer'):
        answers(path)
    header = path.read_text().splitlines()[0].replace(',', ';')
    lines = [header, f'{A};p;train;a;b;w;bees;Ada', f"{B};p;;;;;'=x;", f'{C};p;;;;;{LEAVE_OUT};']
    path.write_bytes('\ufeff'.encode() + '\r\n'.join(['sep=;', *lines][1:]).encode())
    assert answers(path) == {A: 'bees', B: '=x', C: ''}


def test_answers_in_a_table_are_not_overwritten(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'q.csv'
    formats.write('csv', QUEUE, CLASSES, path, ())
    empty = path.read_text()
    filled = empty.replace(',,\n', ',bees,Ada\n', 1)
    assert filled != empty
    path.write_text(filled)
    with pytest.raises(ConfigError, match='1 answer that would be lost'):
        formats.write('csv', QUEUE, CLASSES, path, ())
    assert path.read_text() == filled
    formats.write('csv', QUEUE, CLASSES, path, {QUEUE[0].image_id})
    assert path.read_text() == empty
    for other in ('image_id,label\n', 'notes', '"', ''):
        path.write_text(other)
        with pytest.raises(ConfigError, match='queue'):
            formats.write('csv', QUEUE, CLASSES, path, ())
        assert path.read_text() == other


def test_labels_of_another_project(tmp_path: pathlib.Path) -> None:
    path = saved(tmp_path, f'image_id,label,who\n{A},bees,Ada\n{B},,\n'.encode(), 'labels.csv')
    assert answers(path) == {A: 'bees', B: ''}


@pytest.mark.parametrize(
    ('content', 'part'),
    [
        (b'[{"data": ', 'damaged JSON'),
        (b'{"a": 1}', 'neither'),
        (b'[]', 'neither'),
        (b'[{"data": {"image": "x.png"}}]', 'task 1 has no image_id'),
        (b'<annotations><image', 'not XML'),
        (b'<svg/>', '<svg>'),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><annotations/>', 'entities'),
        (b'<annotations><image name="frame_1.jpg"/></annotations>', "'frame_1.jpg'"),
        (b'PK\x03\x04 no zip', 'damaged zip'),
        (b'image_id,new_label\nx,cat\n', 'line 2'),
        (f'image_id,new_label\n{A},cat\n{A},dog\n'.encode(), 'line 3'),
        (TWO_TAGS.encode(), '2 tags'),
        (f'{{"classes": ["a"], "labels": {{"{A}": 4}}}}'.encode(), 'target 4'),
        (b'{"classes": ["a"], "labels": {"x": 0}}', 'no image id'),
        (json.dumps([task(A, 'ants', 'bees')]).encode(), "'ants'"),
        (b'', 'no rows'),
        (b'\xff\xfe\x00', 'UTF'),
    ],
)  # fmt: skip
def test_foreign_and_damaged_exports_are_refused(
    content: bytes, part: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(DataError) as refused:
        formats.read(saved(tmp_path, content, 'export'))
    assert part in str(refused.value)


def test_folder_of_something_else(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'x.txt').touch()
    with pytest.raises(DataError, match='no answer'):
        formats.read(tmp_path)


def test_missing_file(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NotFound):
        formats.read(tmp_path / 'none.json')
