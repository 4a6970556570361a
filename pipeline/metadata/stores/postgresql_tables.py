"""ML Metadata's tables in a PostgreSQL database: created, adjusted and checked.

ML Metadata 1.21 creates them with 32-bit integers where its own have 64, and with indexes over
whole strings, which PostgreSQL refuses for strings of some thousand characters, such as a
configuration. Wider columns and indexes over prefixes fix both; no query of ML Metadata depends on
either.
"""

from __future__ import annotations

import ml_metadata as mlmd
import pg8000.exceptions
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import metadata_store
from thawline.components.shared.errors import ConfigError, Unavailable
from thawline.pipeline.metadata.stores import connection, ownership, postgresql
from thawline.pipeline.metadata.stores.postgresql import Session

_LOCK = 0x7448_4154  # while tables are created: two processes that do it at once stop each other
_KINDS = ('artifact', 'execution', 'context')
_PREFIX = 'left(string_value, 255)'
_STATE = """
select to_regclass('mlmdenv') is not null,
  (select count(*) from information_schema.columns
     where table_name = 'mlmdenv' and column_name = 'schema_version'),
  coalesce(has_schema_privilege(current_schema(), 'create'), false),
  coalesce((select bool_and(has_table_privilege(oid, 'select')
                            and (relname = 'mlmdenv' or has_table_privilege(oid, 'insert')
                                                        and has_table_privilege(oid, 'update')))
     from pg_class where relname in ('mlmdenv', 'artifact', 'execution', 'context', 'event')
       and relnamespace = to_regnamespace(current_schema())), true)
"""
_NARROW_COLUMNS = """
select table_name from information_schema.columns
 where table_schema = current_schema() and column_name = 'int_value' and data_type = 'integer'
"""
_FULL_INDEXES = """
select indexname from pg_indexes where schemaname = current_schema()
   and indexname like 'idx_%_property_string' and position('left' in lower(indexdef)) = 0
"""


def tables_exist(session: Session, config: pb.ConnectionConfig) -> bool:
    """Whether the database has ML Metadata's tables; if not, this role may create them.

    Raises:
        ConfigError: this role may not use or create them.
    """
    ((exist, schemas, may_create, may_use),) = session.run(_STATE)
    user, place = config.postgresql.user, connection.display_name(config)
    if schemas > int(exist):
        # ML Metadata looks for its first table in all schemas that the role may see.
        raise ConfigError(
            f"{place} has ML Metadata's tables in another schema than that of {user!r}, and ML "
            'Metadata then works in neither; name another database in metadata.postgresql'
        )
    if exist and not may_use:
        raise ConfigError(
            f"{user!r} may not use ML Metadata's tables in {place}; make it a member of the role "
            f'that owns them: GRANT <owner> TO "{user}"'
        )
    if not exist and not may_create:
        raise ConfigError(
            f'{user!r} may not create tables in {place}; as the owner of the database: GRANT '
            f'CREATE ON SCHEMA public TO "{user}"'
        )
    return bool(exist)


def create_tables(session: Session, config: pb.ConnectionConfig) -> bool:
    """Creates the tables if they do not exist, and adjusts them; returns whether it created them.

    Raises:
        ConfigError: they cannot be created or adjusted.
    """
    session.run(f'select pg_advisory_lock({_LOCK})')
    try:
        exist = tables_exist(session, config)
        if not exist:
            open_store(config)
        _adjust(session, config)
    finally:
        session.run(f'select pg_advisory_unlock({_LOCK})')
    return not exist


def are_adjusted(session: Session) -> bool:
    """Whether the tables take every value of ML Metadata."""
    return not session.run(_NARROW_COLUMNS) and not session.run(_FULL_INDEXES)


def _adjust(session: Session, config: pb.ConnectionConfig) -> None:
    if are_adjusted(session):
        return
    try:
        with ownership.transaction(session):
            for kind in _KINDS:
                table, index = f'{kind}property', f'idx_{kind}_property_string'
                session.run(f'alter table {table} alter int_value type bigint')
                session.run(f'drop index if exists {index}')
                columns = f'name, is_custom_property, {_PREFIX}'
                session.run(f'create index {index} on {table} ({columns})')
    except pg8000.exceptions.DatabaseError as error:
        raise ConfigError(
            f"ML Metadata's tables in {connection.display_name(config)} do not yet take numbers "
            f'above 2^31 or long texts, and {config.postgresql.user!r} cannot change that '
            f'({postgresql.error_message(error)}); as their owner run: thawline metadata check '
            '--create'
        ) from error


def open_store(config: pb.ConnectionConfig) -> mlmd.MetadataStore:
    """ML Metadata on the database; it creates the tables if they do not exist.

    Raises:
        Unavailable: the server cannot be reached.
        ConfigError: ML Metadata cannot use the database.
    """
    try:
        return metadata_store.open_store(connection.with_password(config))
    except Unavailable:
        with postgresql.session(config):  # raises the reason, which ML Metadata does not give
            raise
    except RuntimeError as error:
        raise ConfigError(
            f'ML Metadata cannot use {connection.display_name(config)}: {str(error).strip()}'
        ) from error
