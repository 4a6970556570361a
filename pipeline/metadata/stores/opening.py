"""Opens the metadata store of a project: its SQLite file, or its database."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import metadata_store
from thawline.components.shared.errors import NotFound
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.stores import connection, ownership, sqlite_file

# What speaks to PostgreSQL takes a tenth of a second to import, which projects on a file save.
SCHEMA_SECONDS = 60.0  # limit for a statement while tables are created


def connection_config(project: Project) -> pb.ConnectionConfig:
    """How to connect, without a secret; for compiled pipelines."""
    if project.postgresql is not None:
        return connection.postgresql_config(project.postgresql, project.home)
    return connection.sqlite_config(project.metadata)


def prepare_run(project: Project) -> None:
    """Makes sure that runs can be recorded, and claims the pipeline for this output folder.

    Raises:
        Unavailable: the server cannot be reached.
        Busy, NotFound: as `sqlite_file.check`.
        ConfigError: it cannot be used, or records the runs of another folder.
    """
    if project.postgresql is None:
        ownership.check_file(project.output)
        sqlite_file.check(project, write=True)
        return
    from thawline.pipeline.metadata.stores import postgresql, postgresql_tables

    config = connection_config(project)
    with postgresql.session(config, seconds=SCHEMA_SECONDS) as session:
        postgresql_tables.tables_exist(session, config)
        place = connection.display_name(config)
        ownership.claim_pipeline(session, project.name, project.output, place)
        postgresql_tables.create_tables(session, config)


def find_store(project: Project) -> mlmd.MetadataStore | None:
    """The metadata of a project; None before its first run.

    Raises:
        Unavailable: the server cannot be reached.
        Busy, NotFound: as `sqlite_file.check`.
        ConfigError: it cannot be used.
    """
    if project.postgresql is None:
        ownership.check_file(project.output)
        sqlite_file.check(project)
        return metadata_store.open_sqlite(project.metadata) if project.metadata.is_file() else None
    from thawline.pipeline.metadata.stores import postgresql, postgresql_tables

    config = connection_config(project)
    with postgresql.session(config) as session:
        if not postgresql_tables.tables_exist(session, config):
            return None
        mark = ownership.read_mark(project.output)
        owner = ownership.read_owner(session, project.name) if mark else None
        if mark and owner and mark.mark == owner.mark:
            place = connection.display_name(config)
            ownership.check_place(owner, project.name, project.output, place)
    return postgresql_tables.open_store(config)


def open_store(project: Project) -> mlmd.MetadataStore:
    """The metadata of a project.

    Raises:
        NotFound: nothing ran yet.
    """
    store = find_store(project)
    if store is None:
        raise NotFound(f'no run yet in {project.output}; start one with: thawline run')
    return store


def describe_server(project: Project) -> str:
    """What records runs, in words, after connecting to it.

    Raises:
        Unavailable: it cannot be reached.
    """
    config = connection_config(project)
    if project.postgresql is None:
        return f'SQLite, {connection.display_name(config)}'
    from thawline.pipeline.metadata.stores import postgresql

    with postgresql.session(config) as session:
        ((version,),) = session.run('show server_version')
    return f'PostgreSQL {version}, {connection.display_name(config)}'


def check_ownership(project: Project) -> None:
    """Refuses to change records of a pipeline whose runs are in another folder.

    Raises:
        ConfigError: they are.
    """
    if project.postgresql is None:
        return
    from thawline.pipeline.metadata.stores import postgresql

    config = connection_config(project)
    with postgresql.session(config) as session:
        owner = ownership.read_owner(session, project.name)
    mark, place = ownership.read_mark(project.output), connection.display_name(config)
    ownership.check_owner(owner, mark, project.name, project.output, place)


def promotion_lock(
    project: Project,
) -> Callable[[str], contextlib.AbstractContextManager[None]] | None:
    """The lock that machines share by the database; it takes a note on its holder."""
    if project.postgresql is None:
        return None
    from thawline.pipeline.metadata.stores import postgresql_lock

    return functools.partial(postgresql_lock.hold, connection_config(project), project.name)
