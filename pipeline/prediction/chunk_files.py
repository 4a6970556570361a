"""What comes of a chunk of images, kept in files until all are there.

Each chunk has two, named by its number, so that reading them in turn gives all rows in the order of
the listing whatever worker was first:

    part-000012.arrow    rows as an Arrow stream: name, label, score, probabilities
    part-000012.jsonl    what was rejected, a JSON object a line

A file has its name only when it is complete, and a chunk that is tried again replaces its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from thawline.components.ingestion import quarantine
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.shared import files


@dataclasses.dataclass(frozen=True)
class ModelAnswers:
    """Of n images: names of classes [n], float32 [n], float32 [n, C]."""

    labels: Sequence[str]
    scores: np.ndarray
    probabilities: np.ndarray


def schema(classes: int) -> pa.Schema:
    """Of the rows, for C classes."""
    return pa.schema(
        [
            ('path', pa.string()),
            ('label', pa.string()),
            ('score', pa.float32()),
            ('probabilities', pa.list_(pa.float32(), classes)),
        ]
    )


def record_batch(names: Sequence[str], answers: ModelAnswers) -> pa.RecordBatch:
    """Rows of n images."""
    flat = np.ascontiguousarray(answers.probabilities, np.float32).ravel()
    classes = answers.probabilities.shape[1]
    return pa.record_batch(
        [
            pa.array(names, pa.string()),
            pa.array(answers.labels, pa.string()),
            pa.array(np.asarray(answers.scores, np.float32)),
            pa.FixedSizeListArray.from_arrays(pa.array(flat), classes),
        ],
        schema=schema(classes),
    )


class ChunkWriter:
    """Writes what comes of one chunk; complete when the block ends well."""

    def __init__(self, rows: pa.ipc.RecordBatchStreamWriter) -> None:
        """Use `writing`."""
        self._rows = rows
        self.rejected: list[Rejected] = []

    def add(self, rows: pa.RecordBatch) -> None:
        """Adds rows."""
        self._rows.write_batch(rows)


@contextlib.contextmanager
def write_chunk(folder: pathlib.Path, number: int, classes: int) -> Iterator[ChunkWriter]:
    """The files of a chunk, for the time of the block."""
    rows, rejected = map(files.replacement, paths(folder, number))
    with rows as rows_draft, rejected as rejected_draft:  # the rows get their name last
        with (
            pa.OSFile(str(rows_draft), 'wb') as sink,
            pa.ipc.new_stream(sink, schema(classes)) as stream,
        ):
            writer = ChunkWriter(stream)
            yield writer
        rejected_draft.write_text(quarantine.to_jsonl(writer.rejected), 'utf-8')


def paths(folder: pathlib.Path, number: int) -> tuple[pathlib.Path, pathlib.Path]:
    """Of the rows and of what was rejected."""
    return folder / f'part-{number:06d}.arrow', folder / f'part-{number:06d}.jsonl'


def read_rows(folder: pathlib.Path, number: int) -> Iterator[pa.RecordBatch]:
    """Rows of a chunk.

    Raises:
        RuntimeError: it left nothing.
    """
    path = paths(folder, number)[0]
    if not path.is_file():
        raise RuntimeError(f'chunk {number} left no answers: {path} is not there')
    with pa.OSFile(str(path), 'rb') as source, pa.ipc.open_stream(source) as stream:
        yield from stream


def read_rejected(folder: pathlib.Path, number: int) -> list[Rejected]:
    """What was rejected of a chunk."""
    path = paths(folder, number)[1]
    return quarantine.from_jsonl(path.read_text('utf-8')) if path.is_file() else []


def all_rejected(folder: pathlib.Path, numbers: int) -> Iterator[Rejected]:
    """All that was rejected, chunk by chunk."""
    for number in range(numbers):
        yield from read_rejected(folder, number)
