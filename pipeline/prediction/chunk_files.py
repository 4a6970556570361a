"""The files of each chunk of images, until the table is written.

They are named by the chunk's number, so that reading them in turn gives all rows in the order of
the listing, whichever worker was first:

    part-000012.arrow    rows as an Arrow stream: name, label, score, probabilities
    part-000012.jsonl    the rejected images, a JSON object a line

A file gets its name when it is complete; a chunk that is retried replaces its own files.
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
    """The model's answers to n images: class names [n], float32 [n], float32 [n, C]."""

    labels: Sequence[str]
    scores: np.ndarray
    probabilities: np.ndarray


def schema(classes: int) -> pa.Schema:
    """The columns of the rows, for C classes."""
    return pa.schema(
        [
            ('path', pa.string()),
            ('label', pa.string()),
            ('score', pa.float32()),
            ('probabilities', pa.list_(pa.float32(), classes)),
        ]
    )


def record_batch(names: Sequence[str], answers: ModelAnswers) -> pa.RecordBatch:
    """Rows of n images as a record batch."""
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
    """Collects the rows and the rejected images of one chunk; made by `write_chunk`."""

    def __init__(self, rows: pa.ipc.RecordBatchStreamWriter) -> None:
        self._rows = rows
        self.rejected: list[Rejected] = []

    def add(self, rows: pa.RecordBatch) -> None:
        self._rows.write_batch(rows)


@contextlib.contextmanager
def write_chunk(folder: pathlib.Path, number: int, classes: int) -> Iterator[ChunkWriter]:
    """Writes the files of a chunk; they get their names when the block ends without an error."""
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
    """The files of a chunk: its rows, and its rejected images."""
    return folder / f'part-{number:06d}.arrow', folder / f'part-{number:06d}.jsonl'


def read_rows(folder: pathlib.Path, number: int) -> Iterator[pa.RecordBatch]:
    """Rows of a chunk.

    Raises:
        RuntimeError: the chunk has no file.
    """
    path = paths(folder, number)[0]
    if not path.is_file():
        raise RuntimeError(f'chunk {number} has no answers: {path} does not exist')
    with pa.OSFile(str(path), 'rb') as source, pa.ipc.open_stream(source) as stream:
        yield from stream


def read_rejected(folder: pathlib.Path, number: int) -> list[Rejected]:
    """The rejected images of a chunk."""
    path = paths(folder, number)[1]
    return quarantine.from_jsonl(path.read_text('utf-8')) if path.is_file() else []


def all_rejected(folder: pathlib.Path, chunks: int) -> Iterator[Rejected]:
    """The rejected images of all chunks."""
    for number in range(chunks):
        yield from read_rejected(folder, number)
