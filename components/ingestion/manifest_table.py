"""The bytes of a CSV, JSON lines or Parquet as a table, in the forms in which people have them."""

from __future__ import annotations

import collections
import csv
import dataclasses
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from thawline.components.shared.errors import DataError

_DELIMITERS = ',;\t|'
_BYTE_ORDER_MARKS = (
    (b'\xef\xbb\xbf', 'utf-8-sig'), (b'\xff\xfe', 'utf-16'), (b'\xfe\xff', 'utf-16')
)  # fmt: skip
# The first line by which Excel tells itself the delimiter.
_SEPARATOR = re.compile(r'sep=(.)\s*')


@dataclasses.dataclass(frozen=True)
class ManifestTable:
    """A parsed CSV: its column names and (line number, cells by column) of each row."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    malformed: tuple[tuple[int, str], ...]


def parse_file(content: bytes, name: str) -> ManifestTable:
    """Parses a file by the suffix of its name, else as `parse` does.

    Raises:
        DataError: as `parse`; or it is damaged.
    """
    suffix = name.rpartition('.')[2].lower()
    if suffix == 'parquet':
        return _parse_parquet(content, name)
    return _parse_json_lines(content, name) if suffix == 'jsonl' else parse(content, name)


def _parse_json_lines(content: bytes, name: str) -> ManifestTable:
    objects: list[tuple[int, dict[str, Any]]] = []
    malformed = []
    for line, text in enumerate(_decode(content, name).split('\n'), 1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            malformed.append((line, f'not JSON: {error}'))
            continue
        if isinstance(value, dict):
            objects.append((line, value))
        else:
            malformed.append((line, f'no object: {text.strip()[:80]}'))
    return _of_objects(objects, malformed, name)


def _parse_parquet(content: bytes, name: str) -> ManifestTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content))
    except pa.ArrowException as error:
        raise DataError(f'{name} is no Parquet file, or damaged: {error}.') from error
    if images := [f.name for f in table.schema if 'binary' in str(f.type)]:
        raise DataError(
            f'{name}: column {images[0]!r} holds the images themselves. Save them as files, with '
            'their paths in the table.'
        )
    return _of_objects(list(enumerate(table.to_pylist(), 1)), [], name)


def _of_objects(
    objects: list[tuple[int, dict[str, Any]]], malformed: list[tuple[int, str]], name: str
) -> ManifestTable:
    """Rows with all keys that any of them has; what is missing or null is empty."""
    if not objects:
        raise DataError(f'{name} has no rows.')
    header = tuple(dict.fromkeys(str(key) for _, value in objects for key in value))
    rows = ((line, {key: _cell(value.get(key)) for key in header}) for line, value in objects)
    return ManifestTable(header, tuple(rows), tuple(malformed))


def _cell(value: Any) -> str:
    if value is None:
        return ''
    is_nested = isinstance(value, (dict, list, bool))
    return json.dumps(value, ensure_ascii=False, default=str) if is_nested else str(value)


def parse(content: bytes, name: str) -> ManifestTable:
    """Parses the bytes of a CSV: UTF-8 (or UTF-16 with its mark), any line ends, `,` `;` tab `|`.

    Raises:
      DataError: not UTF-8, no header, a column name twice, a quote that is not closed, or no rows.
    """
    text = _decode(content, name)
    lines = text.splitlines(keepends=True)
    skipped = next((n for n, line in enumerate(lines) if line.strip()), 0)
    separator = _SEPARATOR.fullmatch(lines[skipped]) if lines else None
    if separator:
        skipped += 1
    first = lines[skipped] if skipped < len(lines) else ''
    reader = csv.reader(
        io.StringIO(''.join(lines[skipped:]), newline=''),
        delimiter=separator.group(1) if separator else _delimiter(first),
        strict=True,
    )
    rows, malformed = [], []
    header: tuple[str, ...] = ()
    for line, cells in _rows(reader, name, skipped):
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = tuple(cell.strip() for cell in cells)
            continue
        # Excel ends each row with the delimiters of columns that were once in use.
        while len(cells) > len(header) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(header):
            malformed.append((line, f'{len(cells)} cells, but the header has {len(header)}'))
            continue
        rows.append((line, dict(zip(header, cells, strict=True))))
    twice = [column for column, n in collections.Counter(header).items() if n > 1 and column]
    if twice:
        raise DataError(f'{name} has the column {twice[0]!r} more than once.')
    if not rows and not malformed:
        raise DataError(f'{name} has no rows{"" if header else ", not even a header"}.')
    return ManifestTable(header, tuple(rows), tuple(malformed))


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


def _rows(reader: Iterator[list[str]], name: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    while True:
        line = skipped + reader.line_num + 1  # type: ignore[attr-defined]
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # Read less strictly, a cell that opens with a quote would swallow the rows after it.
            raise DataError(
                f'{name}, line {line}: a cell that begins with a quote must end with one, and '
                f'quotes inside it are doubled ("5"" pipe"): {error}.'
            ) from error
