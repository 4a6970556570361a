"""How to connect to ML Metadata: a configuration without secrets, and with them at run time.

The configuration is an `ml_metadata.ConnectionConfig` that may be stored anywhere, such as in a
compiled pipeline: in place of a password it has `${NAME}` of an environment variable, or the path
of a passfile. `with_password` fills the password in; its result must not leave this process.

ML Metadata 1.21 writes its fields into libpq's connection string unquoted, so a space or backslash
in a password would break the string and print a part of it: fields are quoted here. Its libpq is
built without TLS.
"""

from __future__ import annotations

import pathlib
import re

from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.pipeline.config.metadata import PostgreSQL
from thawline.pipeline.metadata.stores import passwords

CONNECT_SECONDS = 5
_REFERENCE = re.compile(r'\$\{([A-Z_][A-Z0-9_]*)\}')
# Options of libpq: a server that cannot be reached, or is gone, is noticed within half a minute.
_OPTIONS = (
    f'connect_timeout={CONNECT_SECONDS} application_name=thawline '
    'keepalives_idle=10 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=25000'
)


def sqlite_config(path: pathlib.Path) -> pb.ConnectionConfig:
    """The configuration for a file, which is created if it does not exist."""
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return config


def postgresql_config(settings: PostgreSQL, home: pathlib.Path) -> pb.ConnectionConfig:
    """The configuration for a database; a relative passfile is relative to `home`."""
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


def password(config: pb.ConnectionConfig) -> str:
    """The password that a configuration refers to; empty if it needs none.

    Raises:
        ConfigError: it cannot be read.
    """
    target = config.postgresql
    if target.passfile:
        path = pathlib.Path(target.passfile)
        server = target.host, int(target.port), target.dbname, target.user
        return passwords.read_passfile(path, *server)
    reference = _REFERENCE.fullmatch(target.password)
    return passwords.read_variable(reference[1]) if reference else ''


def with_password(config: pb.ConnectionConfig) -> pb.ConnectionConfig:
    """What ML Metadata connects with: never to be written anywhere.

    Raises:
        ConfigError: the password cannot be read.
    """
    if config.WhichOneof('config') != 'postgresql':
        return config
    filled = pb.ConnectionConfig()
    filled.CopyFrom(config)
    target = filled.postgresql
    target.host, target.dbname, target.user = map(
        _quoted, (target.host, target.dbname, target.user)
    )
    target.password = f'{_quoted(password(config))} {_OPTIONS}'
    target.ClearField('passfile')
    return filled


def display_name(config: pb.ConnectionConfig) -> str:
    """The file or the URL of the database."""
    if config.WhichOneof('config') != 'postgresql':
        return config.sqlite.filename_uri
    target = config.postgresql
    return f'postgresql://{target.user}@{target.host}:{target.port}/{target.dbname}'


def _quoted(value: str) -> str:
    """A value of libpq's connection strings."""
    escaped = value.replace('\\', '\\\\').replace("'", "\\'")
    return f"'{escaped}'"
