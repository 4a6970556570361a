"""Writes the table of predictions as CSV, JSON lines or Parquet, batch by batch.

| kind    | columns                                                                    |
|---------|----------------------------------------------------------------------------|
| csv     | path, label, score, probability_<class> of each class[, abstained]         |
| jsonl   | path, label, score, probabilities: {<class>: ...}[, abstained]             |
| parquet | path, label, score (float), probabilities: struct of <class>[, abstained]  |

The column `abstained` exists where a threshold was given: true where the score is below it. The
label stays, so that a threshold that was too high loses nothing. In CSV, a text that a spreadsheet
would run as a formula begins with an apostrophe. Numbers have as many digits as it
takes to read the same float32 again; in JSON, NaN is null.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import math
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from thawline.components.shared.errors import ConfigError
from thawline.components.shared.text import FORMULA

KINDS = ('csv', 'jsonl', 'parquet')
_ROW_GROUP = 8192  # rows of Parquet that are in memory at once

AddRows = Callable[[pa.RecordBatch], None]


def table_kind(path: pathlib.Path) -> str:
    """Told by the suffix.

    Raises:
        ConfigError: it is none that is known.
    """
    kind = path.suffix.removeprefix('.').lower()
    if kind not in KINDS:
        known = ', '.join(f'.{kind}' for kind in KINDS)
        raise ConfigError(f'--to must end in one of {known}. Received: {str(path)!r}.')
    return kind


@dataclasses.dataclass(frozen=True)
class RowCounts:
    """Rows of a table, and how many of them abstain; None without a threshold."""

    rows: int
    abstained: int | None


def quarantine_path(table: pathlib.Path) -> pathlib.Path:
    """The quarantine beside a table: `out.csv` -> `out.quarantine.csv`."""
    return table.with_name(f'{table.stem}.quarantine.csv')


def write_table(
    path: pathlib.Path,
    kind: str,
    rows: Iterable[pa.RecordBatch],
    classes: Sequence[str],
    abstain_below: float | None,
) -> RowCounts:
    """Writes all rows, as `chunk_files` reads them, to a new file."""
    count = abstained = 0
    writer = {'csv': _csv_writer, 'jsonl': _jsonl_writer, 'parquet': _parquet_writer}[kind]
    with path.open('xb') as file:
        with writer(file, tuple(classes), abstain_below) as add:
            for batch in rows:
                add(batch)
                count += batch.num_rows
                if abstain_below is not None:
                    abstained += int(_abstentions(batch, abstain_below).sum())
        file.flush()
        os.fsync(file.fileno())
    return RowCounts(count, None if abstain_below is None else abstained)


def _probabilities(batch: pa.RecordBatch, classes: Sequence[str]) -> np.ndarray:
    """float32 [n, C]."""
    flat = batch.column('probabilities').flatten().to_numpy()
    probabilities: np.ndarray = flat.reshape(batch.num_rows, len(classes))
    return probabilities


def _abstentions(batch: pa.RecordBatch, below: float) -> np.ndarray:
    """For each row, bool [n]; true where the score is NaN."""
    abstained: np.ndarray = ~(batch.column('score').to_numpy() >= np.float32(below))
    return abstained


@contextlib.contextmanager
def _csv_writer(file: Any, classes: tuple[str, ...], below: float | None) -> Iterator[AddRows]:
    header = ['path', 'label', 'score', *(f'probability_{name}' for name in classes)]
    if below is not None:
        header.append('abstained')

    def texts(column: pa.Array) -> pa.Array:
        return pc.replace_substring_regex(column, pattern=FORMULA, replacement=r"'\1")

    # Arrow quotes names in its own way; Python's way is what readers of CSV agree on.
    first = io.StringIO()
    csv.writer(first, lineterminator='\n').writerow(header)
    file.write(first.getvalue().encode())
    numbers = [pa.float32()] * (1 + len(classes))
    types = [pa.string(), pa.string(), *numbers, *([pa.bool_()] if below is not None else [])]
    schema = pa.schema([(str(place), kind) for place, kind in enumerate(types)])
    options = pa_csv.WriteOptions(include_header=False, quoting_style='needed')
    with pa_csv.CSVWriter(file, schema, write_options=options) as writer:

        def add(batch: pa.RecordBatch) -> None:
            columns = [*(texts(batch.column(name)) for name in ('path', 'label'))]
            columns.append(batch.column('score'))
            columns += [pa.array(column) for column in _probabilities(batch, classes).T.copy()]
            if below is not None:
                columns.append(pa.array(_abstentions(batch, below)))
            writer.write_batch(pa.record_batch(columns, schema=schema))

        yield add


@contextlib.contextmanager
def _jsonl_writer(file: Any, classes: tuple[str, ...], below: float | None) -> Iterator[AddRows]:
    def add(batch: pa.RecordBatch) -> None:
        probabilities = _probabilities(batch, classes)
        abstained = None if below is None else _abstentions(batch, below)
        names, labels = batch.column('path').to_pylist(), batch.column('label').to_pylist()
        scores = batch.column('score').to_numpy()
        for i, name in enumerate(names):
            row: dict[str, Any] = {
                'path': name,
                'label': labels[i],
                'score': _json_number(scores[i]),
                'probabilities': dict(
                    zip(classes, map(_json_number, probabilities[i]), strict=True)
                ),
            }
            if abstained is not None:
                row['abstained'] = bool(abstained[i])
            file.write(json.dumps(row, ensure_ascii=False).encode() + b'\n')

    yield add


def _json_number(value: np.float32) -> float | None:
    # By way of the text, which has the digits of a float32, not those of a float64.
    return float(str(value)) if math.isfinite(value) else None


@contextlib.contextmanager
def _parquet_writer(file: Any, classes: tuple[str, ...], below: float | None) -> Iterator[AddRows]:
    of_class = [pa.field(name, pa.float32()) for name in classes]
    fields = [
        ('path', pa.string()),
        ('label', pa.string()),
        ('score', pa.float32()),
        ('probabilities', pa.struct(of_class)),
    ]
    schema = pa.schema(fields + ([('abstained', pa.bool_())] if below is not None else []))
    waiting: list[pa.RecordBatch] = []
    with pq.ParquetWriter(file, schema) as writer:

        def flush() -> None:
            if waiting:
                writer.write_table(pa.Table.from_batches(waiting, schema))
                waiting.clear()

        def add(batch: pa.RecordBatch) -> None:
            by_class = [pa.array(column) for column in _probabilities(batch, classes).T.copy()]
            columns = [batch.column(name) for name in ('path', 'label', 'score')]
            columns.append(pa.StructArray.from_arrays(by_class, fields=of_class))
            if below is not None:
                columns.append(pa.array(_abstentions(batch, below)))
            waiting.append(pa.record_batch(columns, schema=schema))
            if sum(batch.num_rows for batch in waiting) >= _ROW_GROUP:
                flush()

        yield add
        flush()
