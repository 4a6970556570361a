"""`thawline labels`, on the records of a run."""

from __future__ import annotations

import csv
import json
import pathlib

import click.testing
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.made_runs import Runs
from thawline.components.data_audit import table as audit_table
from thawline.components.ingestion import image_table, label_overlay
from thawline.pipeline import cli

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
