"""The queue as a CSV, to fill in with a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from thawline.components.ingestion import label_overlay, manifest_table
from thawline.components.shared.errors import DataError
from thawline.components.shared.text import csv_table, plain_cell
from thawline.pipeline.labels.exchange import Answer, QueuedImage, label_of

_NEW = 'new_label'
_HEADER = ('image_id', 'path', 'split', 'label', 'suggested', 'why', _NEW, 'who')


def table(queue: Sequence[QueuedImage]) -> str:
    """A row an image; `new_label` and `who` are empty."""
    rows = [(i.image_id, i.path, i.split, i.label, i.suggested, i.why, '', '') for i in queue]
    return csv_table(_HEADER, rows)


def read_queue(content: bytes, name: str) -> list[Answer]:
    """The answers in a queue: people fill in the table itself.

    Raises:
        DataError: it is no queue.
    """
    if _NEW not in manifest_table.parse(content, name).header:
        raise DataError(f'{name} has no column {_NEW!r}')
    return list(read(content, name))


def read(content: bytes, name: str) -> Iterator[Answer]:
    """The rows whose `new_label` is filled in; or those of another project's `labels.csv`.

    Raises:
        DataError: no CSV, a column is missing, or a row without an image id.
    """
    parsed = manifest_table.parse(content, name)
    if _NEW not in parsed.header:
        for row in label_overlay.parse(content, name):
            where = f'{name}, line {row.line}'
            yield Answer(row.image_id, row.label, row.who, row.when, where)
        return
    if 'image_id' not in parsed.header:
        raise DataError(f"{name} has no column 'image_id'. Received: {','.join(parsed.header)}.")
    if parsed.malformed:
        line, problem = parsed.malformed[0]
        raise DataError(f'{name}, line {line}: {problem}.')
    for line, cells in parsed.rows:
        where = f'{name}, line {line}'
        image_id = cells['image_id'].strip().lower()
        if not label_overlay.is_image_id(image_id):
            raise DataError(f'{where}: image_id is damaged. Received: {cells["image_id"]!r}.')
        if label := plain_cell(cells[_NEW].strip()):
            who = plain_cell(cells.get('who', '').strip())
            yield Answer(image_id, label_of(label), who, '', where)
