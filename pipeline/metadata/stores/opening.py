"""Opens the metadata of a project, wherever they are."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import metadata_store
from thawline.components.shared.errors import NotFound
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.stores import connection, opening, ownership

if TYPE_CHECKING:
    pass

# What speaks to PostgreSQL takes a tenth of a second to import, which projects on a file save.
SECONDS = 60.0  # that making the tables may take


def described(project: Project) -> pb.ConnectionConfig:
    """How to connect, without a secret; for compiled pipelines."""
    if project.postgresql is not None:
        return connection.postgresql(project.postgresql, project.home)
    return connection.sqlite(project.metadata)


def to_run(project: Project) -> None:
    """Makes sure, before anything runs, that runs can be recorded, and makes the folder known.

    Raises:
        ConfigError: the server cannot be reached or used, or records another folder's runs.
    """
    if project.postgresql is None:
        ownership.check_sqlite(project.output)
        return
    from thawline.pipeline.metadata.stores import postgresql, postgresql_tables

    wanted = described(project)
    with postgresql.session(wanted, seconds=SECONDS) as session:
        postgresql_tables.are_there(session, wanted)
        ownership.claim(session, project.name, project.output, connection.name(wanted))
        postgresql_tables.make(session, wanted)


def to_read(project: Project) -> mlmd.MetadataStore | None:
    """The metadata of a project; None where nothing ran yet.

    Raises:
        ConfigError: the server cannot be reached or used.
    """
    if project.postgresql is None:
        ownership.check_sqlite(project.output)
        return metadata_store.open_sqlite(project.metadata) if project.metadata.is_file() else None
    from thawline.pipeline.metadata.stores import postgresql, postgresql_tables

    wanted = described(project)
    with postgresql.session(wanted) as session:
        if not postgresql_tables.are_there(session, wanted):
            return None
    return postgresql_tables.opened(wanted)


def reached(project: Project) -> str:
    """What records runs, in words, after having asked it.

    Raises:
        ConfigError: it cannot be reached.
    """
    wanted = described(project)
    if project.postgresql is None:
        return f'SQLite, {connection.name(wanted)}'
    from thawline.pipeline.metadata.stores import postgresql

    with postgresql.session(wanted) as session:
        ((version,),) = session.run('show server_version')
    return f'PostgreSQL {version}, {connection.name(wanted)}'


def require_mine(project: Project) -> None:
    """Refuses to change records of a pipeline whose runs are in another folder.

    Raises:
        ConfigError: they are.
    """
    if project.postgresql is None:
        return
    from thawline.pipeline.metadata.stores import postgresql

    wanted = described(project)
    with postgresql.session(wanted) as session:
        known = ownership.owner_of(session, project.name)
    mark = ownership.mark_of(project.output)
    ownership.check(known, mark, project.name, project.output, connection.name(wanted))


def lock(project: Project) -> Callable[[str], contextlib.AbstractContextManager[None]] | None:
    """A lock that machines share with the database, to be taken with a note on who holds it."""
    if project.postgresql is None:
        return None
    from thawline.pipeline.metadata.stores import postgresql_lock

    return functools.partial(postgresql_lock.held, described(project), project.name)


def open_store(project: Project) -> mlmd.MetadataStore:
    """The project's metadata.

    Raises:
        NotFound: nothing ran yet.
    """
    store = opening.to_read(project)
    if store is None:
        raise NotFound(f'no run yet in {project.output}; start one with: thawline run')
    return store
