"""The bytes of a CSV as a table, in the forms in which people have them."""

from __future__ import annotations

import collections
import csv
import dataclasses
import io
import re
from collections.abc import Iterator

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
