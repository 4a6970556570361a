"""Tables of every kind, read by others than who wrote them."""

from __future__ import annotations

import csv
import json
import pathlib

import numpy as np
import pyarrow.parquet as pq
import pytest

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.prediction import chunk_files, tables

CLASSES = ('path', 'a,b', 'say "x"', 'line\nbreak', '', 'קטן')
NAMES = ['plain.jpg', 'a,"b"\n.jpg', "it's.jpg"]


def made() -> list:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(len(CLASSES)), len(NAMES)).astype(np.float32)
    best = probabilities.argmax(axis=1)
    labels = [CLASSES[i] for i in best]
    answers = chunk_files.ModelAnswers(labels, probabilities.max(axis=1), probabilities)
    none = chunk_files.ModelAnswers(
        [], np.empty(0, np.float32), np.empty((0, len(CLASSES)), np.float32)
    )
    return [chunk_files.record_batch([], none), chunk_files.record_batch(NAMES, answers)]


def test_csv_is_quoted_and_exact(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'out.csv'
    batches = made()
    assert tables.write_table(path, 'csv', batches, CLASSES, 0.5) == tables.RowCounts(
        3, int((batches[1].column('score').to_numpy() < 0.5).sum())
    )
    with path.open(newline='', encoding='utf-8') as file:
        header, *rows = list(csv.reader(file))
    assert header == [
        'path', 'label', 'score', *(f'probability_{name}' for name in CLASSES), 'abstained'
    ]  # fmt: skip
    assert [row[0] for row in rows] == NAMES
    assert [row[1] for row in rows] == batches[1].column('label').to_pylist()
    numbers = np.array([[np.float32(cell) for cell in row[3:-1]] for row in rows])
    flat = batches[1].column('probabilities').flatten().to_numpy()
    np.testing.assert_array_equal(numbers.ravel(), flat)  # the same float32, digit by digit
    assert max(len(cell) for row in rows for cell in row[3:-1]) <= 14


def test_no_cell_of_a_csv_is_a_formula(tmp_path: pathlib.Path) -> None:
    odd = ['=1+1.jpg', '+a.jpg', '-b.jpg', '@c.jpg', '\td.jpg', 'a=b.jpg']
    probabilities = np.full((len(odd), 2), 0.5, np.float32)
    answers = chunk_files.ModelAnswers(['=x'] * len(odd), probabilities[:, 0], probabilities)
    batch = chunk_files.record_batch(odd, answers)
    for kind in ('csv', 'jsonl'):
        tables.write_table(tmp_path / f'out.{kind}', kind, [batch], ('=x', 'y'), None)
    with (tmp_path / 'out.csv').open(newline='', encoding='utf-8') as file:
        rows = list(csv.reader(file))[1:]
    assert [row[0] for row in rows] == [f"'{name}" for name in odd[:5]] + odd[5:]
    assert {row[1] for row in rows} == {"'=x"}
    lines = (tmp_path / 'out.jsonl').read_text('utf-8').splitlines()
    assert [json.loads(line)['path'] for line in lines] == odd


def test_json_and_parquet_are_nested_by_class(tmp_path: pathlib.Path) -> None:
    batches = made()
    tables.write_table(tmp_path / 'out.jsonl', 'jsonl', batches, CLASSES, None)
    tables.write_table(tmp_path / 'out.parquet', 'parquet', batches, CLASSES, None)
    lines = (tmp_path / 'out.jsonl').read_text('utf-8').removesuffix('\n').split('\n')
    by_line = [json.loads(line) for line in lines]
    by_column = pq.read_table(tmp_path / 'out.parquet').to_pylist()
    assert [row['path'] for row in by_line] == NAMES
    assert list(by_line[0]['probabilities']) == list(CLASSES)
    for one, other in zip(by_line, by_column, strict=True):
        assert 'abstained' not in one and 'abstained' not in other
        assert np.float32(one.pop('score')) == other.pop('score')
        mine, theirs = one.pop('probabilities'), other.pop('probabilities')
        assert {name: np.float32(value) for name, value in mine.items()} == theirs
        assert one == other


def test_no_number_abstains_and_is_null(tmp_path: pathlib.Path) -> None:
    nan = np.full((1, 2), np.nan, np.float32)
    rows = [chunk_files.record_batch(['a'], chunk_files.ModelAnswers(['x'], nan[0, :1], nan))]
    assert tables.write_table(tmp_path / 'o.jsonl', 'jsonl', rows, ('x', 'y'), 0.0).abstained == 1
    assert json.loads((tmp_path / 'o.jsonl').read_text('utf-8')) == {
        'path': 'a', 'label': 'x', 'score': None, 'probabilities': {'x': None, 'y': None},
        'abstained': True,
    }  # fmt: skip


def test_many_rows_of_parquet_are_few_row_groups(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, '_ROW_GROUP', 5)
    written = tables.write_table(tmp_path / 'o.parquet', 'parquet', made() * 4, CLASSES, None)
    assert written == tables.RowCounts(12, None)
    assert pq.ParquetFile(tmp_path / 'o.parquet').metadata.num_row_groups == 2


def test_a_kind_that_is_unknown() -> None:
    assert tables.table_kind(pathlib.Path('x.CSV')) == 'csv'
    with pytest.raises(ConfigError, match="one of .csv, .jsonl, .parquet. Received: 'out.xlsx'"):
        tables.table_kind(pathlib.Path('out.xlsx'))
