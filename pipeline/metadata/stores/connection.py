"""How to connect to ML Metadata's records: described without secrets, and with them at run time.

A description is an `ml_metadata.ConnectionConfig` that may lie anywhere, such as in a compiled
pipeline: where a password is needed it holds `${NAME}` of an environment variable, or the path of a
passfile. `filled` puts the password in; what it returns is for this process alone.

ML Metadata 1.21 writes its fields into the connection string of libpq as they are, so a space or a
backslash in a password would break the string and print a part of it: fields are quoted here. Its
libpq is built without TLS.
"""

from __future__ import annotations

import pathlib
import re

from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.pipeline.config.metadata import PostgreSQL
from thawline.pipeline.metadata.stores import passwords

CONNECT_SECONDS = 5
_REFERENCE = re.compile(r'\$\{([A-Z_][A-Z0-9_]*)\}')
# Options of libpq: a server that cannot be reached, or has gone, is noticed within half a minute.
_OPTIONS = (
    f'connect_timeout={CONNECT_SECONDS} application_name=thawline '
    'keepalives_idle=10 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=25000'
)


def sqlite(path: pathlib.Path) -> pb.ConnectionConfig:
    """The description of a file, which is made where there is none."""
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return config


def postgresql(settings: PostgreSQL, home: pathlib.Path) -> pb.ConnectionConfig:
    """The description of a database; a relative passfile is relative to `home`."""
    config = pb.ConnectionConfig()
    target = config.postgresql
    target.host, target.port = settings.host, str(settings.port)
    target.dbname, target.user = settings.database, settings.user
    target.skip_db_creation = True  # ML Metadata would connect to another database first
    if settings.password_env is not None:
        target.password = f'${{{settings.password_env}}}'
    if settings.passfile is not None:
        target.passfile = str(home / pathlib.Path(settings.passfile).expanduser())
    return config


def password(described: pb.ConnectionConfig) -> str:
    """The password that a description refers to; empty where it needs none.

    Raises:
        ConfigError: it cannot be had.
    """
    target = described.postgresql
    if target.passfile:
        path = pathlib.Path(target.passfile)
        return passwords.from_file(path, target.host, int(target.port), target.dbname, target.user)
    named = _REFERENCE.fullmatch(target.password)
    return passwords.from_environment(named[1]) if named else ''


def filled(described: pb.ConnectionConfig) -> pb.ConnectionConfig:
    """What ML Metadata connects by: never to be written anywhere.

    Raises:
        ConfigError: the password cannot be had.
    """
    if described.WhichOneof('config') != 'postgresql':
        return described
    found = pb.ConnectionConfig()
    found.CopyFrom(described)
    target = found.postgresql
    target.host, target.dbname = _quoted(described.postgresql.host), _quoted(target.dbname)
    target.user = _quoted(target.user)
    target.password = f'{_quoted(password(described))} {_OPTIONS}'
    target.ClearField('passfile')
    return found


def name(described: pb.ConnectionConfig) -> str:
    """How a person knows the place."""
    if described.WhichOneof('config') != 'postgresql':
        return described.sqlite.filename_uri
    target = described.postgresql
    return f'postgresql://{target.user}@{target.host}:{target.port}/{target.dbname}'


def _quoted(value: str) -> str:
    """A value as libpq's connection strings take it."""
    escaped = value.replace('\\', '\\\\').replace("'", "\\'")
    return f"'{escaped}'"
