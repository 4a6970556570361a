"""Rows of ML Metadata's tables, from its SQLite file into PostgreSQL's, and compared there.

Both have the same tables and columns. Numbers stay as they are: the cache of the pipeline is keyed
on them, models and reports carry them, and artifacts lie in folders that are named by them.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from thawline.components.shared.errors import ConfigError
from thawline.components.shared.postgresql_store import stored
from thawline.pipeline.metadata.stores.postgresql import Session

# All but the version of the tables. Of a type, everything else is; rows refer to earlier tables.
TABLES = (
    'Type', 'TypeProperty', 'ParentType', 'Artifact', 'ArtifactProperty', 'Execution',
    'ExecutionProperty', 'Context', 'ContextProperty', 'ParentContext', 'Event', 'EventPath',
    'Association', 'Attribution',
)  # fmt: skip
_PORTION = 64 * 1024  # bytes that are sent at once
_ESCAPES = {'\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r'}
_TO_ESCAPE = re.compile(r'[\\\t\n\r]')
_NULL = '\\N'

Tell = Callable[[str, int], None]  # name of a table, rows of it so far
Kinds = Mapping[str, str]  # PostgreSQL's type of each column


def kinds_of(session: Session, table: str) -> dict[str, str]:
    """Columns of a table in PostgreSQL, with their types."""
    rows = session.run(
        'select column_name, data_type from information_schema.columns '
        'where table_schema = current_schema() and table_name = :name order by ordinal_position',
        name=table.lower(),
    )
    return {name: kind for name, kind in rows}


def check_columns(source: sqlite3.Connection, session: Session) -> None:
    """Refuses tables that are not those of the same version on both sides.

    Raises:
        ConfigError: they differ.
    """
    here = source.execute('select schema_version from MLMDEnv').fetchall()
    there = [tuple(row) for row in session.run('select schema_version from mlmdenv')]
    if here != there:
        raise ConfigError(
            f'the tables are of version {_first(here)} in metadata.sqlite and {_first(there)} in '
            'the database; run once with this version on both before migrating'
        )
    for table in TABLES:
        columns = {row[1] for row in source.execute(f'pragma table_info({table})')}
        if columns != kinds_of(session, table).keys():
            raise ConfigError(f'table {table} has other columns in metadata.sqlite: {columns}')


def _first(rows: Sequence[Sequence[object]]) -> object:
    return rows[0][0] if rows else 'none'


def rows_of(source: sqlite3.Connection, table: str, kinds: Kinds) -> Iterator[tuple[str, ...]]:
    """Rows of a table of the file, in the order in which they were put, as COPY takes them."""
    names = ', '.join(kinds)
    for row in source.execute(f'select {names} from {table} order by rowid'):
        yield tuple(field(value, kind) for value, kind in zip(row, kinds.values(), strict=True))


def field(value: object, kind: str) -> str:
    """A value as PostgreSQL's COPY writes it; see https://www.postgresql.org/docs/15/sql-copy.html.

    Args:
        value: as SQLite gives it.
        kind: PostgreSQL's type of the column.

    Raises:
        ConfigError: the database cannot hold it.
    """
    if value is None:
        return _NULL
    if kind == 'boolean':
        return 't' if value else 'f'
    if kind == 'bytea':  # ML Metadata keeps these as base64 in SQLite
        content = base64.b64decode(value) if isinstance(value, str) else value
        if not isinstance(content, bytes):
            raise ConfigError(f'received {value!r} where a {kind} should be')
        return '\\\\x' + content.hex()
    if isinstance(value, str):
        if '\0' in value:
            raise ConfigError(f'a text has a NUL, which PostgreSQL cannot hold: {value[:60]!r}')
        return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], stored(value))
    if isinstance(value, float) and kind != 'double precision':
        raise ConfigError(f'received {value!r} where a {kind} should be')
    return repr(value)


def put(source: sqlite3.Connection, session: Session, table: str, kinds: Kinds, tell: Tell) -> int:
    """Copies a table within the transaction under way; returns how many rows."""
    done = 0

    def lines() -> Iterator[bytes]:
        nonlocal done
        held = bytearray()
        for row in rows_of(source, table, kinds):
            held += '\t'.join(row).encode() + b'\n'
            done += 1
            if len(held) >= _PORTION:
                yield bytes(held)
                held.clear()
                tell(table, done)
        yield bytes(held)

    session.run(f'copy {table.lower()} ({", ".join(kinds)}) from stdin', stream=lines())
    return done


def compare(source: sqlite3.Connection, session: Session, table: str, kinds: Kinds) -> None:
    """Reads back what was put and compares it with the file, every value of every row.

    Raises:
        ConfigError: they differ.
    """
    wanted, found = Rows(kinds.values()), Rows(kinds.values())
    for row in rows_of(source, table, kinds):
        wanted.add(row)
    session.run(f'copy {table.lower()} ({", ".join(kinds)}) to stdout', stream=found)
    if (found.count, found.sum) != (wanted.count, wanted.sum):
        raise ConfigError(
            f'table {table} differs: {found.count:,} rows in the database, {wanted.count:,} in '
            'metadata.sqlite, and not all of them equal'
        )


class Rows:
    """Counts rows and sums up their digests: equal for equal rows in any order.

    PostgreSQL keeps no order, and fills holes in its pages with whatever row fits.
    """

    def __init__(self, kinds: Iterable[str]) -> None:
        self.count = 0
        self.sum = 0
        self._kinds = tuple(kinds)
        self._held = b''

    def write(self, data: bytes) -> int:
        """Takes what COPY sends: lines, not always whole ones."""
        *lines, self._held = (self._held + data).split(b'\n')
        for line in lines:
            self.add(tuple(line.decode().split('\t')))
        return len(data)

    def add(self, row: Sequence[str]) -> None:
        """Takes a row as COPY writes it."""
        values = '\t'.join(map(_plain, row, self._kinds))
        digest = hashlib.sha256(values.encode()).digest()
        self.count += 1
        self.sum = (self.sum + int.from_bytes(digest[:16], 'big')) % 2**128


def _plain(value: str, kind: str) -> str:
    """A value in one of its forms: SQLite and PostgreSQL print some numbers differently."""
    return repr(float(value)) if kind == 'double precision' and value != _NULL else value


def continue_numbers(source: sqlite3.Connection, session: Session) -> None:
    """Numbers go on where they have ended in the file."""
    last = dict(source.execute('select name, seq from sqlite_sequence'))
    for table, number in last.items():
        if table in TABLES and number:
            name = table.lower()
            session.run(f"select setval(pg_get_serial_sequence('{name}', 'id'), {int(number)})")
