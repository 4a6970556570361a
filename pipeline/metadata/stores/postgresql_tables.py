"""ML Metadata's tables in a PostgreSQL database: made, adapted and looked at.

ML Metadata 1.21 makes them with integers of 32 bits where its own are of 64, and with indexes over
whole strings, which PostgreSQL refuses for strings of some thousand characters, such as a
configuration. Wider columns and indexes over the beginnings of strings mend both; nothing that ML
Metadata asks depends on either.
"""

from __future__ import annotations

import ml_metadata as mlmd
import pg8000.exceptions
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import metadata_store
from thawline.components.shared.errors import ConfigError, Unavailable
from thawline.pipeline.metadata.stores import connection, ownership, postgresql
from thawline.pipeline.metadata.stores.postgresql import Session

_LOCK = 0x7448_4154  # while tables are made: two that make them at once stop each other
_KINDS = ('artifact', 'execution', 'context')
_SHORT = 'left(string_value, 255)'
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
_WIDE = """
select table_name from information_schema.columns
 where table_schema = current_schema() and column_name = 'int_value' and data_type = 'integer'
"""
_LONG = """
select indexname from pg_indexes where schemaname = current_schema()
   and indexname like 'idx_%_property_string' and position('left' in lower(indexdef)) = 0
"""


def are_there(session: Session, described: pb.ConnectionConfig) -> bool:
    """Whether the database has ML Metadata's tables; where not, they can be made.

    Raises:
        ConfigError: this role may not use them, or not make them.
    """
    ((there, schemas, may_create, may_use),) = session.run(_STATE)
    user, place = described.postgresql.user, connection.name(described)
    if schemas > int(there):
        # ML Metadata looks for its first table in all schemas that the role may see.
        raise ConfigError(
            f"{place} has ML Metadata's tables in another schema than {user!r} works in, and ML "
            'Metadata can use none of them then; name another database: metadata.postgresql'
        )
    if there and not may_use:
        raise ConfigError(
            f"{user!r} may not use ML Metadata's tables in {place}; let it be a member of the role "
            f'that owns them: GRANT <owner> TO "{user}"'
        )
    if not there and not may_create:
        raise ConfigError(
            f'{user!r} may not make tables in {place}; as the owner of the database: GRANT CREATE '
            f'ON SCHEMA public TO "{user}"'
        )
    return bool(there)


def make(session: Session, described: pb.ConnectionConfig) -> bool:
    """Makes the tables where there are none, and adapts them; returns whether it made them.

    Raises:
        ConfigError: they cannot be made or adapted.
    """
    session.run(f'select pg_advisory_lock({_LOCK})')
    try:
        there = are_there(session, described)
        if not there:
            opened(described)
        _adapt(session, described)
    finally:
        session.run(f'select pg_advisory_unlock({_LOCK})')
    return not there


def are_adapted(session: Session) -> bool:
    """Whether the tables take all that ML Metadata may put."""
    return not session.run(_WIDE) and not session.run(_LONG)


def _adapt(session: Session, described: pb.ConnectionConfig) -> None:
    if are_adapted(session):
        return
    try:
        with ownership.transaction(session):
            for kind in _KINDS:
                table, index = f'{kind}property', f'idx_{kind}_property_string'
                session.run(f'alter table {table} alter int_value type bigint')
                session.run(f'drop index if exists {index}')
                session.run(f'create index {index} on {table} (name, is_custom_property, {_SHORT})')
    except pg8000.exceptions.DatabaseError as error:
        raise ConfigError(
            f"ML Metadata's tables in {connection.name(described)} do not take numbers above 2^31 "
            f'or long texts yet, and {described.postgresql.user!r} cannot mend that '
            f'({postgresql.message(error)}); their owner can: thawline metadata check --create'
        ) from error


def opened(described: pb.ConnectionConfig) -> mlmd.MetadataStore:
    """ML Metadata on the database; it makes the tables where there are none.

    Raises:
        Unavailable: the server cannot be reached.
        ConfigError: it cannot use the database.
    """
    try:
        return metadata_store.open_store(connection.filled(described))
    except Unavailable:
        with postgresql.session(described):  # says why, where ML Metadata gives no reason
            raise
    except RuntimeError as error:
        raise ConfigError(
            f'ML Metadata cannot use {connection.name(described)}: {str(error).strip()}'
        ) from error
