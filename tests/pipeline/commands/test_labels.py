"""`thawline labels`, on the records of a run."""

from __future__ import annotations

import csv
import io
import json
import pathlib

import click.testing
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.components.ingestion import images
from tests.made_runs import Runs
from tests.pipeline.recording import made_recording
from thawline.components.data_audit import table as audit_table
from thawline.components.ingestion import label_overlay
from thawline.components.shared import image_table
from thawline.pipeline import cli
from thawline.pipeline.recording import accuracy, sample

IDS = [f'{number:032x}' for number in range(8)]


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    """A project after a run whose audit doubts the first two images."""
    runs = Runs(tmp_path)
    (tmp_path / 'images').mkdir()
    rows = [
        {'image_id': name, 'path': f'{n}.jpg', 'split': 'train' if n < 4 else 'val',
         'label': 'ants' if n % 2 else 'bees'}
        for n, name in enumerate(IDS)
    ]  # fmt: skip
    examples, audit = runs.output / 'artifacts' / 'e', runs.output / 'artifacts' / 'a'
    examples.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, image_table.SCHEMA), examples / 'images.parquet')
    doubts = [
        {**row, 'suggested': 'ants', 'suspect': n < 2, 'votes': 9, 'voters': 10}
        for n, row in enumerate(rows)
    ]
    audit_table.write(audit, pa.Table.from_pylist(doubts, audit_table.SCHEMA))
    runs._record('r1', 'ImageExampleGen', 'examples', examples)
    runs._record('r1', 'DataAudit', 'audit', audit)
    return tmp_path


def call(home: pathlib.Path, *arguments: str, code: int = 0) -> str:
    result = click.testing.CliRunner().invoke(cli.main, ['labels', *arguments, str(home)])
    assert result.exit_code == code, result.output
    return result.output


def test_queue_goes_out_as_csv_and_comes_back(home: pathlib.Path) -> None:
    queue = home / 'q.csv'
    assert '2 images' in call(home, 'export', '--to', 'csv', '--out', str(queue))
    rows = list(csv.DictReader(queue.read_text().splitlines()))
    assert [row['image_id'] for row in rows] == IDS[:2]
    lines = queue.read_text().splitlines()
    queue.write_text('\n'.join([lines[0], lines[1][:-2] + ',ants,Ada']))
    dry = call(home, 'import', str(queue), '--dry-run')
    assert '1 corrected' in dry and not (home / 'labels.csv').exists()
    assert '1 corrected' in call(home, 'import', str(queue), '--why', 'audit')
    (row,) = label_overlay.read(str(home / 'labels.csv'))
    assert (row.image_id, row.label, row.who, row.why) == (IDS[0], 'ants', 'Ada', 'audit')
    assert '1 image of run' in call(home, 'export', '--to', 'csv', '--out', str(queue))
    listed = call(home, 'list')
    assert IDS[0] in listed and 'Ada' in listed and '1 labels' in listed
    call(home, 'remove', IDS[0])
    assert label_overlay.read(str(home / 'labels.csv')) == ()


def test_random_sample_of_val(home: pathlib.Path) -> None:
    call(home, 'export', '--to', 'csv', '--for', 'val', '--out', str(home / 'v.csv'))
    rows = list(csv.DictReader((home / 'v.csv').read_text().splitlines()))
    assert {row['image_id'] for row in rows} == set(IDS[4:])


def test_export_of_another_project_writes_nothing(home: pathlib.Path) -> None:
    file = home / 'export.json'
    file.write_text(json.dumps({'classes': ['ants'], 'labels': {'f' * 32: 0}}))
    class_folder = home / 'images' / 'ants'
    class_folder.mkdir()
    call(home, 'import', str(file), code=4)
    assert not (home / 'labels.csv').exists()


def test_labels_that_are_the_source_are_never_written(home: pathlib.Path) -> None:
    (home / 'thawline.yaml').write_text('name: x\ndata: {source: labels.csv}\n')
    (home / 'labels.csv').write_text('path,label\n')
    call(home, 'import', 'any.json', code=2)
    assert (home / 'labels.csv').read_text() == 'path,label\n'


def test_recorded_images_are_drawn_without_their_answers(home: pathlib.Path) -> None:
    kept = home / 'kept'
    call(home, 'export', '--to', 'csv', '--recorded', str(kept), code=2)  # nothing is there
    pictures = [images.encoded(images.picture(n), 'WEBP', lossless=True) for n in range(6)]
    ids = made_recording.record(kept, [*pictures, b'no picture'], ['bees'] * 7)
    queue = home / 'q.csv'
    export = ('export', '--to', 'csv', '--recorded', str(kept), '--out', str(queue))
    assert '4 images' in call(home, *export, '--count', '4')
    rows = list(csv.DictReader(queue.read_text().splitlines()))
    assert [row['image_id'] for row in rows] == sample.random_order(ids, accuracy.SEED)[:4]
    assert 'bees' not in queue.read_text()
    for row, label in zip(rows, ('ants', 'bees', '(leave out)', ''), strict=True):
        row['new_label'] = label
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    queue.write_text(text.getvalue())
    brought = call(home, 'import', str(queue), '--recorded', str(kept))
    assert '3 answers: 2 labelled, 0 confirmed, 1 of no class' in brought
    assert not (home / 'labels.csv').exists()
    assert len(label_overlay.read(str(kept / 'labels.csv'))) == 3
    measured = accuracy.measure(kept, 12)
    assert measured is not None and (measured.images, measured.of_no_class) == (3, 1)
    assert measured.share == 1 / 3
    assert '4 images' in call(home, *export)  # what has a label does not come again

    queue.write_text(f'image_id,new_label\n{ids[0]},antz\n')  # a slip
    assert "'ants'" in call(home, 'import', str(queue), '--recorded', str(kept), code=4)


def test_recorded_pictures_go_into_a_tool(home: pathlib.Path) -> None:
    kept, out = home / 'kept', home / 'q.json'
    picture = images.encoded(images.picture(1), 'WEBP', lossless=True)
    (good, bad) = made_recording.record(kept, [picture, b'no picture'], ['bees'] * 2)
    said = call(home, 'export', '--to', 'label-studio', '--recorded', str(kept), '--out', str(out))
    assert f'images/{bad}' in said and '1 images cannot be shown' in said
    (task,) = json.loads(out.read_text())
    assert task['data']['image_id'] == good and 'predictions' not in task
    assert task['data']['image'].startswith('data:image/png;base64,')
