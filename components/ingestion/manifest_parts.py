"""Tables of images as they lie in files: which ones a source has, read alike.

A CSV, JSON lines or Parquet by its name; `metadata.*` of a Hugging Face image folder;
`_classes.csv` of Roboflow; exports of Label Studio and CVAT. Folders of splits may have a table
each.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from thawline.components.ingestion import (
    folder_layout,
    label_exports,
    manifest_table,
    storage,
)
from thawline.components.ingestion.label_exports import ExportTable
from thawline.components.ingestion.manifest_columns import has_label
from thawline.components.ingestion.manifest_table import ManifestTable
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.shared.errors import DataError
from thawline.components.shared.splits import TRAIN

METADATA_FILES = ('metadata.csv', 'metadata.jsonl', 'metadata.parquet')
_FILE_NAME = 'file_name'  # the column that Hugging Face asks for
_SPLIT = 'split'
CLASSES_FILE = '_classes.csv'


@dataclasses.dataclass(frozen=True)
class ManifestPart:
    """A table, and what its paths are relative to.

    Attributes:
        path: of the file.
        name: of the file, as rows are known by.
        content: of the file.
        table: its rows.
        root: folder of its paths.
        below: what comes before a path, for people: the root, from the source on.
        row: what a row is called.
        columns: those of `data.columns` that the format fixes.
        places: what a path as written may mean, the likeliest first.
    """

    path: str
    name: str
    content: bytes
    table: ManifestTable
    root: str
    below: str = ''
    row: str = 'line'
    columns: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    places: Callable[[str], Iterable[str]] = lambda written: (written,)


def load(spec: SourceSpec, kind: str) -> list[ManifestPart]:
    """The tables of a source.

    Args:
        spec: of the source.
        kind: its format.

    Raises:
        DataError: a file is missing or damaged.
    """
    source = storage.absolute(spec.source)
    if kind == 'csv':
        return [_part(source, spec, '')]
    is_folder = not storage.is_remote(source) and os.path.isdir(source)
    finders: dict[str, Callable[[str], list[str]]] = {
        'huggingface': functools.partial(find_metadata, columns=spec.columns),
        'roboflow': find_classes,
    }
    find = finders.get(kind)
    if find is None:
        return [_export(label_exports.locate(source, kind), spec, kind)]
    files = find(source) if is_folder else [source]
    if not files:
        names = {'huggingface': ', '.join(METADATA_FILES), 'roboflow': CLASSES_FILE}[kind]
        raise DataError(f'{source} has none of {names}, neither itself nor in folders of splits.')
    base = source if is_folder else storage.parent(source)
    parts = [_part(path, spec, base) for path in files]
    if kind == 'huggingface':
        parts = [dataclasses.replace(part, columns={'path': _FILE_NAME}) for part in parts]
    else:
        parts = [
            dataclasses.replace(part, table=label_exports.multi_hot(part.table, part.name))
            for part in parts
        ]
    return list(_with_splits(parts))


def find_metadata(folder: str, columns: Columns) -> list[str]:
    """Tables of a Hugging Face image folder: in the folder, or in its folders of splits.

    Those without labels describe images whose classes are their folders, or have none. Labels are
    in a column of a usual name, or in those that `columns` names.
    """
    labels = {columns.label, *(columns.labels or ())}
    found = (
        next((p for name in METADATA_FILES if os.path.isfile(p := os.path.join(place, name))), None)
        for place in _places(folder)
    )
    headers = ((path, _header(path)) for path in found if path)
    return [
        path
        for path, header in headers
        if _FILE_NAME in header and (has_label(header) or labels & {*header})
    ]


def find_classes(folder: str) -> list[str]:
    """Tables of Roboflow with a column a class; its masks have others of that name."""
    paths = (os.path.join(place, CLASSES_FILE) for place in _places(folder))
    return [p for p in paths if os.path.isfile(p) and label_exports.is_multi_hot(_header(p))]


def _places(folder: str) -> Iterator[str]:
    """A folder, and the folders of splits in it."""
    yield folder
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if folder_layout.split_word(name) and os.path.isdir(path):
            yield path


def _header(path: str) -> tuple[str, ...]:
    try:
        return manifest_table.parse_file(storage.read(path), path).header
    except (OSError, DataError):
        return ()


def _part(path: str, spec: SourceSpec, base: str) -> ManifestPart:
    """The table of a file; `base` is the folder of the source, '' where the file is the source."""
    content = storage.read_required(path)
    here = storage.parent(path)
    below = here.removeprefix(base).strip('/\\').replace(os.sep, '/') if base else ''
    part = ManifestPart(
        path,
        posixpath.join(below, posixpath.basename(path.replace(os.sep, '/'))),
        content,
        manifest_table.parse_file(content, path),
        storage.absolute(spec.root) if spec.root else here,
        '' if spec.root else below,
    )
    if label_exports.is_label_studio(part.table.header):
        places = functools.partial(label_exports.places, 'label-studio')
        return dataclasses.replace(part, columns={'metadata': ()}, places=places)
    return part


def _export(path: str, spec: SourceSpec, kind: str) -> ManifestPart:
    content = storage.read_required(path)
    name = posixpath.basename(path.replace(os.sep, '/'))
    export: ExportTable = label_exports.READERS[kind](content, name, spec.columns.label)
    root = storage.absolute(spec.root) if spec.root else storage.parent(path)
    places = functools.partial(label_exports.places, kind)
    return ManifestPart(
        path, name, content, export.table, root, '', export.row, export.columns, places
    )


def _with_splits(parts: list[ManifestPart]) -> Iterator[ManifestPart]:
    """With a column of splits, where folders say them: that of a table, or those of its paths."""
    for part in parts:
        split = folder_layout.split_word(part.below)
        if _SPLIT in part.table.header:
            yield part
        elif split:
            yield _with_column(part, [split] * len(part.table.rows))
        else:
            tops = {_top(cells) for _, cells in part.table.rows}
            has_train = TRAIN in {folder_layout.split_word(top) for top in tops if top}
            splits = [folder_layout.split_word(_top(cells)) or '' for _, cells in part.table.rows]
            yield _with_column(part, splits) if has_train else part


def _with_column(part: ManifestPart, splits: Iterable[str]) -> ManifestPart:
    rows = tuple(
        (line, {**cells, _SPLIT: split})
        for (line, cells), split in zip(part.table.rows, splits, strict=True)
    )
    table = dataclasses.replace(part.table, header=(*part.table.header, _SPLIT), rows=rows)
    return dataclasses.replace(part, table=table)


def _top(cells: Mapping[str, str]) -> str:
    folder, slash, _ = cells.get(_FILE_NAME, '').partition('/')
    return folder if slash else ''
