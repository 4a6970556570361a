"""Moves the records of a project's runs from its SQLite file into the configured database."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import sqlite3
from collections.abc import Iterator

import pg8000.exceptions

from thawline.components.shared.errors import Busy, ConfigError, NotFound
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.lineage import PROMOTION, PRUNE
from thawline.pipeline.metadata.stores import (
    connection,
    opening,
    ownership,
    postgresql,
    postgresql_tables,
    table_copy,
)
from thawline.pipeline.metadata.stores.ownership import Mark, Owner
from thawline.pipeline.metadata.stores.postgresql import Session
from thawline.pipeline.metadata.stores.table_copy import TABLES, Tell

_SECONDS = 600.0  # that one statement may take
_RUNNING = 2  # of ml_metadata.Execution.State
# What ML Metadata puts itself when it makes the tables.
_INITIAL = ('Type', 'TypeProperty', 'ParentType')


@dataclasses.dataclass(frozen=True)
class Moved:
    """What was copied: rows by table. Nothing where it had been copied before."""

    rows: dict[str, int]
    place: str


def migrate(project: Project, tell: Tell) -> Moved:
    """Copies all records, compares them, and makes the folder known; all or nothing.

    The file is only read. The caller holds the project's locks.

    Raises:
        ConfigError: there is nothing to copy, it cannot be read, or the database is not empty.
    """
    if project.postgresql is None:
        raise ConfigError(
            'the configuration names no database to migrate to; add metadata.postgresql'
        )
    if not project.metadata.is_file():
        raise NotFound(f'there is nothing to migrate: no {project.metadata}')
    described = opening.described(project)
    place = connection.name(described)
    with _reading(project) as source, postgresql.session(described, seconds=_SECONDS) as session:
        _check_source(source, project)
        _check_target(session, project, place)
        postgresql_tables.make(session, described)
        table_copy.check_columns(source, session)
        with ownership.transaction(session):
            _lock(session)
            known = ownership.owner_of(session, project.name)
            if known is None:
                _check_empty(session, place)
                rows = _copy(source, session, tell)
                known = Owner(str(project.output), secrets.token_hex(8))
                ownership.put_owner(session, project.name, known)
            else:  # stopped before the mark was written
                rows = {}
                for table in TABLES:
                    table_copy.compare(source, session, table, table_copy.kinds_of(session, table))
        ownership.put_mark(project.output, Mark(known.mark, place))
    return Moved(rows, place)


@contextlib.contextmanager
def _reading(project: Project) -> Iterator[sqlite3.Connection]:
    """The file as it is now, for reading alone."""
    try:
        source = sqlite3.connect(f'{project.metadata.resolve().as_uri()}?mode=ro', uri=True)
        with contextlib.closing(source):
            source.execute('begin')
            source.execute('select count(*) from MLMDEnv').fetchall()
            yield source
    except (sqlite3.Error, UnicodeError) as error:
        raise ConfigError(f'{project.metadata} cannot be read: {error}') from error


def _check_source(source: sqlite3.Connection, project: Project) -> None:
    names = [
        name
        for (name,) in source.execute(
            'select Context.name from Context join Type on Type.id = type_id where Type.name = ?',
            ('pipeline',),
        )
    ]
    if project.name not in names:
        raise NotFound(
            f'{project.metadata} knows no run of {project.name!r}, but of: {", ".join(names)}'
        )
    unfinished = source.execute(
        'select count(*) from Execution join Type on Type.id = type_id '
        'where Type.name in (?, ?) and last_known_state = ?',
        (PROMOTION, PRUNE, _RUNNING),
    ).fetchone()[0]
    if unfinished:
        raise ConfigError(
            'a promotion, rollback or prune was stopped in the middle; take metadata.postgresql '
            'out of the configuration, let thawline models mend it, and migrate then'
        )


def _check_target(session: Session, project: Project, place: str) -> None:
    known, mark = ownership.owner_of(session, project.name), ownership.mark_of(project.output)
    if mark is not None:
        where = place if known and known.mark == mark.mark else mark.place
        raise ConfigError(f'the runs in {project.output} are recorded in {where} already')
    if known is not None and known.folder != str(project.output):
        ownership.check(known, mark, project.name, project.output, place)


def _lock(session: Session) -> None:
    names = ', '.join(table.lower() for table in TABLES)
    try:
        session.run(f'lock table {names} in exclusive mode nowait')
    except pg8000.exceptions.DatabaseError as error:
        raise Busy(
            f'the database is in use: {postgresql.message(error)}; try again when nothing '
            'runs on it'
        ) from error


def _check_empty(session: Session, place: str) -> None:
    for table in TABLES:
        if table not in _INITIAL and session.run(f'select 1 from {table.lower()} limit 1'):
            names = [
                name
                for (name,) in session.run(
                    'select c.name from context c join type t on t.id = c.type_id '
                    "where t.name = 'pipeline' order by 1"
                )
            ]
            raise ConfigError(
                f'{place} holds records already (pipelines: {", ".join(names) or "none"}). '
                'Artifacts and executions keep their numbers, on which the cache, reports and '
                'models rest, so records can only move into an empty database: name another one '
                'on the same server in metadata.postgresql.database, and make it with: thawline '
                'metadata check --create'
            )


def _copy(source: sqlite3.Connection, session: Session, tell: Tell) -> dict[str, int]:
    for table in reversed(_INITIAL):
        session.run(f'delete from {table.lower()}')
    rows = {}
    for table in TABLES:
        kinds = table_copy.kinds_of(session, table)
        tell(table, 0)
        try:
            rows[table] = table_copy.put(source, session, table, kinds, tell)
        except pg8000.exceptions.DatabaseError as error:
            raise ConfigError(
                f'the database does not take table {table}: {postgresql.message(error)}; '
                'nothing was '
                'copied'
            ) from error
        table_copy.compare(source, session, table, kinds)
    table_copy.continue_numbers(source, session)
    return rows
