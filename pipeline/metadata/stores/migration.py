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
from thawline.pipeline.metadata.stores.ownership import FolderMark, PipelineOwner
from thawline.pipeline.metadata.stores.postgresql import Session
from thawline.pipeline.metadata.stores.table_copy import TABLES, OnProgress

_STATEMENT_SECONDS = 600.0
_RUNNING = 2  # of ml_metadata.Execution.State
# ML Metadata fills these when it creates the tables.
_INITIAL = ('Type', 'TypeProperty', 'ParentType')


@dataclasses.dataclass(frozen=True)
class Migration:
    """What was copied: rows by table, none after a copy that was already complete."""

    rows: dict[str, int]
    place: str


def migrate(project: Project, on_progress: OnProgress) -> Migration:
    """Copies all records, verifies them, and marks the folder; all or nothing.

    The file is only read. The caller holds the project's locks.

    Raises:
        UserError: there is nothing to copy, it cannot be read, or the database is not empty.
    """
    if project.postgresql is None:
        raise ConfigError('the configuration has no database; add metadata.postgresql')
    if not project.metadata.is_file():
        raise NotFound(f'nothing to migrate: {project.metadata} does not exist')
    config = opening.connection_config(project)
    place = connection.display_name(config)
    with (
        _open_file(project) as source,
        postgresql.session(config, seconds=_STATEMENT_SECONDS) as session,
    ):
        _check_source(source, project)
        _check_target(session, project, place)
        postgresql_tables.create_tables(session, config)
        table_copy.check_columns(source, session)
        with ownership.transaction(session):
            _lock(session)
            owner = ownership.read_owner(session, project.name)
            if owner is None:
                _check_empty(session, place)
                rows = _copy(source, session, on_progress)
                owner = PipelineOwner(str(project.output), secrets.token_hex(8))
                ownership.insert_owner(session, project.name, owner)
            else:  # stopped before the mark was written
                rows = {}
                for table in TABLES:
                    types = table_copy.column_types(session, table)
                    table_copy.verify_table(source, session, table, types)
        ownership.write_mark(project.output, FolderMark(owner.mark, place))
    return Migration(rows, place)


@contextlib.contextmanager
def _open_file(project: Project) -> Iterator[sqlite3.Connection]:
    """The file in its current state, read-only."""
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
            f'{project.metadata} has no run of {project.name!r}; it has: {", ".join(names)}'
        )
    unfinished = source.execute(
        'select count(*) from Execution join Type on Type.id = type_id '
        'where Type.name in (?, ?) and last_known_state = ?',
        (PROMOTION, PRUNE, _RUNNING),
    ).fetchone()[0]
    if unfinished:
        raise ConfigError(
            'a promotion, rollback or prune was interrupted; remove metadata.postgresql from the '
            'configuration, run thawline models, which repairs it, and migrate then'
        )


def _check_target(session: Session, project: Project, place: str) -> None:
    owner, mark = ownership.read_owner(session, project.name), ownership.read_mark(project.output)
    if mark is not None:
        where = place if owner and owner.mark == mark.mark else mark.place
        raise ConfigError(f'the runs in {project.output} are already recorded in {where}')
    if owner is not None and owner.folder != str(project.output):
        ownership.check_owner(owner, mark, project.name, project.output, place)


def _lock(session: Session) -> None:
    names = ', '.join(table.lower() for table in TABLES)
    try:
        session.run(f'lock table {names} in exclusive mode nowait')
    except pg8000.exceptions.DatabaseError as error:
        raise Busy(
            f'the database is in use: {postgresql.error_message(error)}; try again when nothing '
            'runs on it'
        ) from error


def _check_empty(session: Session, place: str) -> None:
    for table in TABLES:
        if table in _INITIAL or not session.run(f'select 1 from {table.lower()} limit 1'):
            continue
        pipelines = session.run(
            'select c.name from context c join type t on t.id = c.type_id '
            "where t.name = 'pipeline' order by 1"
        )
        names = ', '.join(name for (name,) in pipelines) or 'none'
        raise ConfigError(
            f'{place} is not empty (pipelines: {names}). Artifacts and executions keep their '
            'numbers, which the cache, reports and models refer to, so records can only move into '
            'an empty database: set metadata.postgresql.database to another name on the same '
            'server, and create it with: thawline metadata check --create'
        )


def _copy(source: sqlite3.Connection, session: Session, on_progress: OnProgress) -> dict[str, int]:
    for table in reversed(_INITIAL):
        session.run(f'delete from {table.lower()}')
    rows = {}
    for table in TABLES:
        types = table_copy.column_types(session, table)
        on_progress(table, 0)
        try:
            rows[table] = table_copy.copy_table(source, session, table, types, on_progress)
        except pg8000.exceptions.DatabaseError as error:
            raise ConfigError(
                f'the database rejects table {table}: {postgresql.error_message(error)}; nothing '
                'was copied'
            ) from error
        table_copy.verify_table(source, session, table, types)
    table_copy.set_sequences(source, session)
    return rows
