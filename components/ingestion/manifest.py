"""A CSV manifest: one row an image."""

from __future__ import annotations

import collections
import dataclasses
import os
import posixpath
from collections.abc import Iterator

from thawline.components.ingestion import labels as label_rules
from thawline.components.ingestion import manifest_table, storage
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.manifest_columns import resolve_columns
from thawline.components.ingestion.manifest_files import ManifestFiles
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.ingestion.source_types import (
    SPLIT_ALIASES,
    Listing,
    SourceItem,
    SourceSpec,
)
from thawline.components.shared.errors import DataError, from_os_error


def read(spec: SourceSpec) -> Listing:
    """Lists the images that a manifest names.

    Raises:
      DataError: the manifest is missing, not UTF-8, empty or not a table; a column is missing; a
        split has an unknown name; nothing usable is left.
    """
    source = storage.absolute(spec.source)
    root = storage.absolute(spec.root) if spec.root else storage.parent(source)
    content = _content(source)
    table = manifest_table.parse(content, source)
    columns, guessed = resolve_columns(table.header, spec.columns, source)
    name = posixpath.basename(source.replace(os.sep, '/'))
    rejected = [
        Rejected(f'{name}:{line}', reasons.MALFORMED_ROW, why) for line, why in table.malformed
    ]
    files = ManifestFiles(root)
    rows: dict[str, list[tuple[int, SourceItem]]] = collections.defaultdict(list)
    entries: dict[str, storage.Entry] = {}
    unlabelled: list[tuple[SourceItem, storage.Entry, Rejected]] = []
    for line, cells in table.rows:
        where = f'line {line} of {name}'
        written = cells[columns.path].strip()
        file = files.find(written)
        if isinstance(file, str):
            rejected.append(Rejected(written or f'{name}:{line}', file, where))
            continue
        # Spaces stay for now: labels that differ only in them are reported as such.
        label = cells[columns.label] if columns.label else None
        has_label = not columns.label or bool(label and label.strip(' \t'))
        try:
            confidence = (
                label_rules.confidence(cells[columns.confidence]) if columns.confidence else None
            )
        except ValueError as error:
            why = f'{where}: {error}'
            rejected.append(Rejected(file.relative, reasons.MALFORMED_ROW, why))
            continue
        split = _split(cells, columns, source, line)
        item = SourceItem(
            file.path, file.relative, label, split,
            (cells[columns.group].strip() or None) if columns.group else None,
            {c: cells[c].strip() for c in columns.metadata or ()}, confidence,
        )  # fmt: skip
        if not has_label:
            rejected.append(Rejected(file.relative, reasons.NO_LABEL, where))
            unlabelled.append((dataclasses.replace(item, label=None), file, rejected[-1]))
            continue
        entries[file.relative] = file
        rows[file.relative].append((line, item))
    items = []
    for path in sorted(rows):
        kept, dropped = _one_of(rows[path], name)
        items += kept
        rejected += dropped
    if not items and not (spec.labels and unlabelled):
        total = len(table.rows) + len(table.malformed)
        raise DataError(
            f'{source} names no usable image in {total} rows; paths are relative to {root} '
            f'(data.root). {reasons.in_words(rejected)}.'
        )
    return Listing(
        tuple(items), tuple(rejected), (*guessed, *_notes(rejected)), (),
        files=tuple(entries.values()), manifest=content, columns=columns,
        unlabelled=tuple(unlabelled),
    )  # fmt: skip


def _content(source: str) -> bytes:
    if storage.stat(source) is None:
        if not storage.is_remote(source) and os.path.isdir(source):
            raise DataError(f'{source} is a folder where a CSV file is expected (data.format).')
        raise storage.missing_error(source, 'The file')
    try:
        return storage.read(source)
    except OSError as error:
        raise from_os_error(error, f'{source} cannot be read', DataError) from error


def _split(cells: dict[str, str], columns: Columns, source: str, line: int) -> str | None:
    written = cells[columns.split].strip() if columns.split else ''
    if not written:
        return None
    if written.lower() not in SPLIT_ALIASES:
        raise DataError(
            f'{source}, line {line}: column {columns.split!r} must be train, val or test, or '
            f'empty. Received: {written!r}.'
        )
    return SPLIT_ALIASES[written.lower()]


def _one_of(
    rows: list[tuple[int, SourceItem]], name: str
) -> tuple[list[SourceItem], list[Rejected]]:
    """Of the rows with one path: the first if they agree, none if they do not."""
    (first_line, first), *others = rows
    if all(item == first for _, item in others):
        return [first], [
            Rejected(i.relative_path, reasons.DUPLICATE_ROW, f'line {n} of {name} as {first_line}')
            for n, i in others
        ]
    labels = sorted({repr(i.label) for _, i in rows})
    reason = reasons.CONFLICTING_LABELS if len(labels) > 1 else reasons.CONFLICTING_ROWS
    lines = ', '.join(str(n) for n, _ in rows)
    detail = f'lines {lines} of {name}: {" and ".join(labels)}'
    return [], [Rejected(i.relative_path, reason, detail) for _, i in rows]


def _notes(rejected: list[Rejected]) -> Iterator[str]:
    for reason, count in reasons.counts_by_reason(rejected).items():
        yield f'{count} rows are not used: {reason}'
