"""Copies rows of ML Metadata's tables from its SQLite file into PostgreSQL, and verifies them.

Both have the same tables and columns. Numbers stay: the cache of the pipeline is keyed on them,
models and reports carry them, and artifacts lie in folders named by them.
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

# All but the schema version. Types first: rows refer to those of earlier tables.
TABLES = (
    'Type', 'TypeProperty', 'ParentType', 'Artifact', 'ArtifactProperty', 'Execution',
    'ExecutionProperty', 'Context', 'ContextProperty', 'ParentContext', 'Event', 'EventPath',
    'Association', 'Attribution',
)  # fmt: skip
_CHUNK = 64 * 1024  # bytes
_ESCAPES = {'\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r'}
_TO_ESCAPE = re.compile(r'[\\\t\n\r]')
_NULL = '\\N'

OnProgress = Callable[[str, int], None]  # name of the table, rows so far
ColumnTypes = Mapping[str, str]  # PostgreSQL's type of each column


def column_types(session: Session, table: str) -> dict[str, str]:
    """Columns of a table in PostgreSQL, with their types."""
    rows = session.run(
        'select column_name, data_type from information_schema.columns '
        'where table_schema = current_schema() and table_name = :name order by ordinal_position',
        name=table.lower(),
    )
    return {name: kind for name, kind in rows}


def check_columns(source: sqlite3.Connection, session: Session) -> None:
    """Refuses tables of different versions.

    Raises:
        ConfigError: they differ.
    """
    versions = [
        [tuple(row) for row in rows]
        for rows in (
            source.execute('select schema_version from MLMDEnv'),
            session.run('select schema_version from mlmdenv'),
        )
    ]
    if versions[0] != versions[1]:
        ours, theirs = (rows[0][0] if rows else 'none' for rows in versions)
        raise ConfigError(
            f'the tables are of version {ours} in metadata.sqlite and {theirs} in the database; '
            'run once with this version on both before migrating'
        )
    for table in TABLES:
        columns = {row[1] for row in source.execute(f'pragma table_info({table})')}
        if columns != column_types(session, table).keys():
            raise ConfigError(f'table {table} has other columns in metadata.sqlite: {columns}')


def copy_rows(
    source: sqlite3.Connection, table: str, types: ColumnTypes
) -> Iterator[tuple[str, ...]]:
    """Rows of a table of the file in their original order, as COPY takes them."""
    names = ', '.join(types)
    for row in source.execute(f'select {names} from {table} order by rowid'):
        yield tuple(map(copy_field, row, types.values()))


def copy_field(value: object, kind: str) -> str:
    """A value as PostgreSQL's COPY writes it; see https://www.postgresql.org/docs/15/sql-copy.html.

    Args:
        value: from SQLite.
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
            raise ConfigError(f'received {value!r} in a column of type {kind}')
        return '\\\\x' + content.hex()
    if isinstance(value, str):
        if '\0' in value:
            raise ConfigError(f'a text has a NUL, which PostgreSQL cannot hold: {value[:60]!r}')
        return _TO_ESCAPE.sub(lambda match: _ESCAPES[match[0]], stored(value))
    if isinstance(value, float) and kind != 'double precision':
        raise ConfigError(f'received {value!r} in a column of type {kind}')
    return repr(value)


def copy_table(
    source: sqlite3.Connection,
    session: Session,
    table: str,
    types: ColumnTypes,
    on_progress: OnProgress,
) -> int:
    """Copies a table within the current transaction; returns how many rows."""
    done = 0

    def chunks() -> Iterator[bytes]:
        nonlocal done
        chunk = bytearray()
        for row in copy_rows(source, table, types):
            chunk += '\t'.join(row).encode() + b'\n'
            done += 1
            if len(chunk) >= _CHUNK:
                yield bytes(chunk)
                chunk.clear()
                on_progress(table, done)
        yield bytes(chunk)

    session.run(f'copy {table.lower()} ({", ".join(types)}) from stdin', stream=chunks())
    return done


def verify_table(
    source: sqlite3.Connection, session: Session, table: str, types: ColumnTypes
) -> None:
    """Reads a table back and compares every value of every row with the file.

    Raises:
        ConfigError: they differ.
    """
    expected, copied = RowDigest(types.values()), RowDigest(types.values())
    for row in copy_rows(source, table, types):
        expected.add(row)
    session.run(f'copy {table.lower()} ({", ".join(types)}) to stdout', stream=copied)
    if (copied.count, copied.sum) != (expected.count, expected.sum):
        raise ConfigError(
            f'table {table} differs: {copied.count:,} rows in the database, {expected.count:,} in '
            'metadata.sqlite, not all of them equal'
        )


class RowDigest:
    """Counts rows and sums their digests: equal for equal rows in any order.

    PostgreSQL keeps no order: it fills holes in its pages with whatever row fits.
    """

    def __init__(self, types: Iterable[str]) -> None:
        self.count = 0
        self.sum = 0
        self._types = tuple(types)
        self._rest = b''

    def write(self, data: bytes) -> int:
        """Takes what COPY sends: lines, not always whole ones."""
        *lines, self._rest = (self._rest + data).split(b'\n')
        for line in lines:
            self.add(tuple(line.decode().split('\t')))
        return len(data)

    def add(self, row: Sequence[str]) -> None:
        """Takes a row as COPY writes it."""
        values = '\t'.join(map(_normalized, row, self._types))
        digest = hashlib.sha256(values.encode()).digest()
        self.count += 1
        self.sum = (self.sum + int.from_bytes(digest[:16], 'big')) % 2**128


def _normalized(value: str, kind: str) -> str:
    """SQLite and PostgreSQL print some numbers differently."""
    return repr(float(value)) if kind == 'double precision' and value != _NULL else value


def set_sequences(source: sqlite3.Connection, session: Session) -> None:
    """Continues the numbers of the file."""
    last = dict(source.execute('select name, seq from sqlite_sequence'))
    for table, number in last.items():
        if table in TABLES and number:
            name = table.lower()
            session.run(f"select setval(pg_get_serial_sequence('{name}', 'id'), {int(number)})")
