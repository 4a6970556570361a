"""Pieces of sentences that many messages share."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

# A spreadsheet runs a cell that begins so (OWASP, "CSV Injection").
FORMULA = r'^([=+\-@\t\r])'


def abbreviate(items: Iterable[object], most: int) -> str:
    """The first items, and how many more there are: 'a, b, c and 4 more'."""
    names = [str(item) for item in items]
    more = f' and {len(names) - most:,} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more


def counted(count: int, singular: str, plural: str) -> str:
    """A number and what there are of it: '1 box is', '1,200 boxes are'."""
    return f'{count:,} {singular if count == 1 else plural}'


def csv_cell(text: str) -> str:
    """A cell of a CSV that a spreadsheet shows and does not run."""
    return re.sub(FORMULA, r"'\1", text)


def csv_table(header: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A CSV with a header, whose cells no spreadsheet runs."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(map(csv_cell, row) for row in rows)
    return out.getvalue()


def plain_cell(cell: str) -> str:
    """The text that `csv_cell` wrote."""
    return cell[1:] if cell[:1] == "'" and re.match(FORMULA, cell[1:]) else cell
