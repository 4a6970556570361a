"""Exports of labelling tools as tables: a row for each label that somebody gave an image."""

from __future__ import annotations

import json
import os
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from thawline.components.ingestion import cvat_export, label_studio_export, storage
from thawline.components.ingestion.folder import IMAGE_SUFFIXES
from thawline.components.ingestion.manifest_table import ManifestTable
from thawline.components.ingestion.params import Columns
from thawline.components.shared.errors import DataError

_HEAD = 4096  # bytes that show what a file is
_PATH, _LABEL, _LABELLER, _SPLIT = 'path', 'label', 'labeller', 'split'
_UNLABELLED = 'Unlabeled'
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


def locate(source: str, kind: str) -> str:
    """The export of a tool: the file that is named, or the one in the folder.

    Raises:
        DataError: none or several are there.
    """
    if storage.is_remote(source) or not os.path.isdir(source):
        return source
    path = find(source, kind)
    if path is None:
        raise DataError(
            f'{source} has no export of {kind}, or several; name the file in data.source.'
        )
    return path


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


def label_studio(content: bytes, name: str, label: str) -> ExportTable:
    """JSON or JSON-MIN.

    Args:
        content: of the file.
        name: of the file, for errors.
        label: the question that asks for the class; the default of `data.columns`: the only one.

    Raises:
      DataError: it is damaged, or neither; it has several questions, or no choice at all.
    """
    tasks = label_studio_tasks(content, name)
    question = None if label == Columns.model_fields['label'].default else label
    names = {
        n
        for task in tasks
        if label_studio_export.is_task(task)
        for n in label_studio_export.questions(task)
    }
    if (question is None and len(names) > 1) or (question and names and question not in names):
        raise DataError(
            f'{name} has the questions {", ".join(sorted(names))}; name the one that asks for the '
            f'class in data.columns.label. Received: {label!r}.'
        )
    rows, malformed = [], []
    for number, task in enumerate(tasks, 1):
        path = picture_of(task)
        if path is None:
            malformed.append((number, f'no path of an image: {json.dumps(task)[:80]}'))
            continue
        answers = label_studio_export.answers(task, question)
        several = next((a.labels for a in answers if len(a.labels) > 1), None)
        if several:
            malformed.append((number, f'{path} has {len(several)} choices: {", ".join(several)}'))
            continue
        labels = [(a.labels[0], a.who) for a in answers if a.labels] or [('', '')]
        for choice, who in labels:
            rows.append((number, {_PATH: path, label: choice, _LABELLER: who}))
    if rows and not any(cells[label] for _, cells in rows):
        keys = ', '.join(map(repr, next(task for task in tasks if isinstance(task, dict))))
        raise DataError(
            f'{name} has no choice for any image. Name the question in data.columns.label, if a '
            f'task has it: {keys}.'
        )
    table = ManifestTable((_PATH, label, _LABELLER), tuple(rows), tuple(malformed))
    return ExportTable(table, 'task', {'labeller': _LABELLER, 'metadata': ()})


def label_studio_tasks(content: bytes, name: str) -> list[Any]:
    """The tasks of an export.

    Raises:
        DataError: it is damaged, or no export.
    """
    try:
        tasks = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f'{name} is damaged JSON: {error}. Export it again.') from error
    if not label_studio_export.is_export(tasks):
        raise DataError(f'{name} is no export of Label Studio, as JSON or JSON-MIN.')
    return list(tasks)


def picture_of(task: Any) -> str | None:
    """What a task says of its image; thawline's own tasks have the picture in them, and a path."""
    if not label_studio_export.is_task(task):
        return None
    data = task.get('data', task)
    values = [data.get('path'), data.get('image'), *data.values()]
    return next((v for v in values if isinstance(v, str) and _is_picture(v)), None)


def _is_picture(text: str) -> bool:
    path = urllib.parse.urlsplit(text)
    name = urllib.parse.parse_qs(path.query).get('d', [path.path])[0]
    return not text.startswith('data:') and name.rpartition('.')[2].lower() in IMAGE_SUFFIXES


def is_label_studio(header: Sequence[str]) -> bool:
    """Whether a CSV is an export of Label Studio."""
    return set(header) >= _LABEL_STUDIO


def cvat(content: bytes, name: str, label: str) -> ExportTable:
    """CVAT for images 1.1.

    Raises:
        DataError: it is damaged, or not that.
    """
    rows: list[tuple[int, dict[str, str]]] = []
    malformed = []
    for number, image in enumerate(cvat_export.read(content, name), 1):
        if len(image.labels) > 1:
            tags = ', '.join(image.labels)
            malformed.append((number, f'{image.name} has {len(image.labels)} tags: {tags}'))
            continue
        tag = image.labels[0] if image.labels else ''
        split = '' if image.subset.lower() == 'default' else image.subset
        rows.append((number, {_PATH: path_of_cvat(image), label: tag, _SPLIT: split}))
    table = ManifestTable((_PATH, label, _SPLIT), tuple(rows), tuple(malformed))
    return ExportTable(table, 'image', {})


def path_of_cvat(image: cvat_export.CvatImage) -> str:
    return f'{image.subset}/{image.name}' if image.subset else image.name


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


def is_multi_hot(header: Sequence[str]) -> bool:
    return header[:1] == ('filename',) and len(header) > 2


def multi_hot(table: ManifestTable, name: str) -> ManifestTable:
    """A table with a column a class, as of Roboflow: `filename, ant, bee` and 0 or 1.

    Its column `Unlabeled` is no class.

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
        label = next((name for name in labels if name != _UNLABELLED), '')
        rows.append((line, {_PATH: cells[first], _LABEL: label}))
    return ManifestTable((_PATH, _LABEL), tuple(rows), tuple(malformed))
