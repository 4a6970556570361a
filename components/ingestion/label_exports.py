"""Exports of labelling tools as tables: a row for each label that somebody gave an image."""

from __future__ import annotations

import json
import os
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from thawline.components.ingestion import cvat_export, label_studio_export
from thawline.components.ingestion.folder import IMAGE_SUFFIXES
from thawline.components.ingestion.manifest_table import ManifestTable
from thawline.components.shared.errors import DataError

_HEAD = 4096  # bytes that show what a file is
_PATH, _LABEL, _LABELLER, _SPLIT = 'path', 'label', 'labeller', 'split'
_LABEL_STUDIO = {'annotation_id', 'lead_time'}  # columns of its CSV
_UPLOADED = re.compile(r'^[0-9a-f]{8}-')  # Label Studio before the name of an upload


class ExportTable(NamedTuple):
    """Rows of an export, what it calls a row, and the columns that are no choice."""

    table: ManifestTable
    row: str
    columns: Mapping[str, Any]


def find(folder: str, kind: str) -> str | None:
    """The export of a tool in a local folder: the one that there is."""
    paths = (os.path.join(folder, name) for name in sorted(os.listdir(folder)))
    files = [path for path in paths if os.path.isfile(path) and kind_of(path) == kind]
    return files[0] if len(files) == 1 else None


def kind_of(path: str) -> str | None:
    """The tool that a local file is an export of, by its beginning."""
    suffix = path.rpartition('.')[2].lower()
    if suffix not in ('json', 'xml'):
        return None
    try:
        with open(path, 'rb') as file:
            head = file.read(_HEAD).lstrip(b'\xef\xbb\xbf \r\n\t')
    except OSError:
        return None
    if suffix == 'xml':
        return 'cvat' if b'<annotations>' in head else None
    keys = set(re.findall(rb'"(\w+)"\s*:', head))
    is_list = head.startswith(b'[')
    return 'label-studio' if is_list and keys & {b'data', b'annotation_id'} else None


def label_studio(content: bytes, name: str) -> ExportTable:
    """JSON or JSON-MIN.

    Raises:
        DataError: it is damaged, or neither.
    """
    try:
        tasks = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f'{name} is damaged JSON: {error}. Export it again.') from error
    if not label_studio_export.is_export(tasks):
        raise DataError(f'{name} is no export of Label Studio, as JSON or JSON-MIN.')
    rows, malformed = [], []
    for number, task in enumerate(tasks, 1):
        data = task.get('data', task) if isinstance(task, dict) else None
        path = _picture(data) if isinstance(data, dict) else None
        if path is None:
            malformed.append((number, f'no path of an image: {json.dumps(task)[:80]}'))
            continue
        answers = label_studio_export.answers(task)
        several = next((a.labels for a in answers if len(a.labels) > 1), None)
        if several:
            malformed.append((number, f'{path} has {len(several)} choices: {", ".join(several)}'))
            continue
        labels = [(a.labels[0], a.who) for a in answers if a.labels] or [('', '')]
        for label, who in labels:
            rows.append((number, {_PATH: path, _LABEL: label, _LABELLER: who}))
    table = ManifestTable((_PATH, _LABEL, _LABELLER), tuple(rows), tuple(malformed))
    return ExportTable(table, 'task', {'labeller': _LABELLER, 'metadata': ()})


def _picture(data: Mapping[str, Any]) -> str | None:
    """What a task says of its image; thawline's own tasks have the picture in them, and a path."""
    values = [data.get('path'), data.get('image'), *data.values()]
    return next((v for v in values if isinstance(v, str) and _is_picture(v)), None)


def _is_picture(text: str) -> bool:
    path = urllib.parse.urlsplit(text)
    name = urllib.parse.parse_qs(path.query).get('d', [path.path])[0]
    return not text.startswith('data:') and name.rpartition('.')[2].lower() in IMAGE_SUFFIXES


def is_label_studio(header: Sequence[str]) -> bool:
    """Whether a CSV is an export of Label Studio."""
    return set(header) >= _LABEL_STUDIO


def cvat(content: bytes, name: str) -> ExportTable:
    """CVAT for images 1.1.

    Raises:
        DataError: it is damaged, or not that.
    """
    rows, malformed = [], []
    for number, image in enumerate(cvat_export.read(content, name), 1):
        if len(image.labels) > 1:
            tags = ', '.join(image.labels)
            malformed.append((number, f'{image.name} has {len(image.labels)} tags: {tags}'))
            continue
        split = '' if image.subset.lower() == 'default' else image.subset
        label = image.labels[0] if image.labels else ''
        path = f'{image.subset}/{image.name}' if image.subset else image.name
        rows.append((number, {_PATH: path, _LABEL: label, _SPLIT: split}))
    table = ManifestTable((_PATH, _LABEL, _SPLIT), tuple(rows), tuple(malformed))
    return ExportTable(table, 'image', {})


READERS = {'label-studio': label_studio, 'cvat': cvat}


def places(kind: str, written: str) -> Iterator[str]:
    """What the path of an image in an export may mean, below the folder of the export."""
    parts = urllib.parse.urlsplit(written)
    path = urllib.parse.parse_qs(parts.query).get('d', [urllib.parse.unquote(parts.path)])[0]
    path = path.lstrip('/')
    last = path.rpartition('/')[2]
    if kind == 'cvat':  # pictures lie in a folder of their subset, or do not
        names = [written, written.partition('/')[2] or written]
    else:
        names = [path, last, _UPLOADED.sub('', last)]
    for name in dict.fromkeys(names):
        yield name
        yield f'images/{name}'


def multi_hot(table: ManifestTable, name: str) -> ManifestTable:
    """A table with a column a class, as of Roboflow: `filename, ant, bee` and 0 or 1.

    Raises:
        DataError: a cell is neither.
    """
    first, *classes = table.header
    rows, malformed = [], [*table.malformed]
    for line, cells in table.rows:
        odd = [c for c in classes if cells[c].strip() not in ('0', '1')]
        if odd:
            raise DataError(
                f'{name}, line {line}: column {odd[0]!r} must be 0 or 1. '
                f'Received: {cells[odd[0]]!r}.'
            )
        labels = [c for c in classes if cells[c].strip() == '1']
        if len(labels) > 1:
            malformed.append(
                (line, f'{cells[first]} has {len(labels)} classes: {", ".join(labels)}')
            )
            continue
        rows.append((line, {_PATH: cells[first], _LABEL: labels[0] if labels else ''}))
    return ManifestTable((_PATH, _LABEL), tuple(rows), tuple(malformed))
