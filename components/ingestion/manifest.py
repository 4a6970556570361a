"""A CSV manifest: one row an image."""

from __future__ import annotations

import collections
import csv
import dataclasses
import difflib
import io
import os
import posixpath
from collections.abc import Iterator

from thawline.components.ingestion import labels as label_rules
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion import storage
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.ingestion.source_types import (
    SPLIT_ALIASES,
    Listing,
    SourceItem,
    SourceSpec,
    fingerprint,
)
from thawline.components.shared.errors import DataError, from_os_error

_DELIMITERS = ',;\t|'
_BYTE_ORDER_MARKS = (
    (b'\xef\xbb\xbf', 'utf-8-sig'), (b'\xff\xfe', 'utf-16'), (b'\xfe\xff', 'utf-16')
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class ManifestTable:
    """A parsed CSV: its column names and (line number, cells by column) of each row."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    malformed: tuple[tuple[int, str], ...]


def read(spec: SourceSpec) -> Listing:
    """Lists the images that a manifest names.

    Raises:
      DataError: the manifest is missing, not UTF-8, empty or not a table; a column is missing; a
        split has an unknown name; nothing usable is left.
    """
    source = storage.absolute(spec.source)
    root = storage.absolute(spec.root) if spec.root else storage.parent(source)
    content = _content(source)
    table = parse(content, source)
    columns = resolve_columns(table.header, spec.columns, source)
    name = posixpath.basename(source.replace(os.sep, '/'))
    rejected = [
        Rejected(f'{name}:{line}', reasons.MALFORMED_ROW, why) for line, why in table.malformed
    ]
    files = ManifestFiles(root)
    rows: dict[str, list[tuple[int, SourceItem]]] = collections.defaultdict(list)
    entries: dict[str, storage.Entry] = {}
    for line, cells in table.rows:
        where = f'line {line} of {name}'
        written = cells[columns.path].strip()
        file = files.find(written)
        if isinstance(file, str):
            rejected.append(Rejected(written or f'{name}:{line}', file, where))
            continue
        label = cells[columns.label].strip(' \t') if columns.label else None
        if columns.label and not label:
            rejected.append(Rejected(file.relative, reasons.NO_LABEL, where))
            continue
        # Spaces stay for now: labels that differ only in them are reported as such.
        label = cells[columns.label] if columns.label else None
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
        entries[file.relative] = file
        rows[file.relative].append((line, item))
    items = []
    for path in sorted(rows):
        kept, dropped = _one_of(rows[path], name)
        items += kept
        rejected += dropped
    if not items:
        total = len(table.rows) + len(table.malformed)
        raise DataError(
            f'{source} names no usable image in {total} rows; paths are relative to {root} '
            f'(data.root). {reasons.in_words(rejected)}.'
        )
    return Listing(
        tuple(items), tuple(rejected), tuple(_notes(rejected)), (),
        fingerprint(list(entries.values()), content),
    )  # fmt: skip


def parse(content: bytes, name: str) -> ManifestTable:
    """Parses the bytes of a CSV: UTF-8 (or UTF-16 with its mark), any line ends, `,` `;` tab `|`.

    Raises:
      DataError: not UTF-8, no header, a column name twice, or no rows.
    """
    text = _decode(content, name)
    first = next((line for line in text.splitlines() if line.strip()), '')
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=_delimiter(first))
    rows, malformed = [], []
    header: tuple[str, ...] = ()
    for line, cells in _rows(reader, name):
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = tuple(cell.strip() for cell in cells)
            continue
        if len(cells) != len(header):
            malformed.append((line, f'{len(cells)} cells, but the header has {len(header)}'))
            continue
        rows.append((line, dict(zip(header, cells, strict=True))))
    twice = [column for column, n in collections.Counter(header).items() if n > 1]
    if twice:
        raise DataError(f'{name} has the column {twice[0]!r} more than once.')
    if not rows and not malformed:
        raise DataError(f'{name} has no rows{"" if header else ", not even a header"}.')
    return ManifestTable(header, tuple(rows), tuple(malformed))


def resolve_columns(header: tuple[str, ...], configured: Columns, name: str) -> Columns:
    """The columns that are really there: optional ones that are absent become None.

    Raises:
      DataError: a column that was named, or that is needed, is missing.
    """
    required = {'path': configured.path, 'label': configured.label}
    optional = ('split', 'group', 'confidence')
    required |= {k: getattr(configured, k) for k in optional if getattr(configured, k)}
    for key, column in required.items():
        if column and column not in header:
            raise _missing_column(header, column, f'data.columns.{key}', name)
    for column in configured.metadata or ():
        if column not in header:
            raise _missing_column(header, column, 'data.columns.metadata', name)
    split = configured.split or ('split' if 'split' in header else None)
    group = configured.group or ('group' if 'group' in header else None)
    metadata = configured.metadata
    if metadata is None:
        taken = {configured.path, configured.label, configured.confidence, split, group}
        metadata = tuple(c for c in header if c and c not in taken)
    return configured.model_copy(update={'split': split, 'group': group, 'metadata': metadata})


class ManifestFiles:
    """Finds the files of a manifest below its root."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._remote = storage.is_remote(root)
        if self._remote:  # One listing instead of a request for every row.
            self._known = {e.relative: e for e in storage.tree(root).entries}
        else:
            if not os.path.isdir(root):
                raise storage.missing_error(root, 'data.root, the folder')
            self._real_root = os.path.realpath(root)

    def find(self, written: str) -> storage.Entry | str:
        """The file, or the reason why it cannot be used."""
        if not written:
            return reasons.MALFORMED_ROW
        relative = self._relative(written)
        if relative is None:
            return reasons.ESCAPES_ROOT
        if self._remote:
            return self._known.get(relative, reasons.MISSING_FILE)
        if '\0' in relative:
            return reasons.MISSING_FILE
        path = storage.join(self._root, relative)
        real = os.path.realpath(path)
        if os.path.commonpath([real, self._real_root]) != self._real_root:
            return reasons.ESCAPES_ROOT  # By a link that leads out.
        entry = storage.stat(path)
        return dataclasses.replace(entry, relative=relative) if entry else reasons.MISSING_FILE

    def _relative(self, written: str) -> str | None:
        if storage.is_remote(written):
            if not written.startswith(self._root.rstrip('/') + '/'):
                return None
            written = written.removeprefix(self._root.rstrip('/') + '/')
        elif not self._remote and os.path.isabs(written):
            written = os.path.relpath(written, self._root)
        elif '/' not in written and '\\' in written:
            written = written.replace('\\', '/')  # Written on Windows.
        relative = posixpath.normpath(written)
        escapes = relative == '..' or relative.startswith(('../', '/'))
        return None if escapes else relative


def _content(source: str) -> bytes:
    if storage.stat(source) is None:
        if not storage.is_remote(source) and os.path.isdir(source):
            raise DataError(f'{source} is a folder where a CSV file is expected (data.format).')
        raise storage.missing_error(source, 'The file')
    try:
        return storage.read(source)
    except OSError as error:
        raise from_os_error(error, f'{source} cannot be read', DataError) from error


def _decode(content: bytes, name: str) -> str:
    encoding = next((e for mark, e in _BYTE_ORDER_MARKS if content.startswith(mark)), 'utf-8')
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b'\n') + 1
        raise DataError(
            f'{name} is not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start}, '
            f'line {line}. If it was saved as Windows-1252 (Excel), convert it with: '
            f'iconv -f WINDOWS-1252 -t UTF-8 {name} > converted.csv'
        ) from error


def _delimiter(header: str) -> str:
    # csv.Sniffer guesses from the data and errs on paths; the header alone says it well enough.
    unquoted = ''.join(header.split('"')[::2])
    return max(_DELIMITERS, key=lambda d: (unquoted.count(d), -_DELIMITERS.index(d)))


def _rows(reader: Iterator[list[str]], name: str) -> Iterator[tuple[int, list[str]]]:
    while True:
        line = reader.line_num + 1  # type: ignore[attr-defined]
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f'{name}, line {line}: not a CSV row: {error}.') from error


def _missing_column(header: tuple[str, ...], column: str, key: str, name: str) -> DataError:
    lowered = {h.lower(): h for h in header}
    near = difflib.get_close_matches(column.lower(), lowered, n=2, cutoff=0.6)
    hint = f' Did you mean {" or ".join(repr(lowered[n]) for n in near)}?' if near else ''
    return DataError(
        f'{name} has no column {column!r}; it has {", ".join(map(repr, header))}.{hint} '
        f'Name the right one in {key}.'
    )


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
