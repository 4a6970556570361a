"""Sessions on a PostgreSQL server beside ML Metadata's own, whose errors say what to do.

ML Metadata reports any failed connection as `connection pointer is NULL`, and waits for a silent
server as long as the system does. So whoever opens a database first checks here that it answers.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import TypeAlias

import pg8000.exceptions
import pg8000.native
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared.errors import ConfigError, NotFound, Unavailable, UserError
from thawline.pipeline.metadata.stores import connection

Session: TypeAlias = pg8000.native.Connection

_LOGIN_SECONDS = 8.0  # for each step
_STATEMENT_SECONDS = 20.0
_CREATE_SECONDS = 120.0  # for a copy of the empty database, which the server writes file by file
# https://www.postgresql.org/docs/15/errcodes-appendix.html
_NO_PASSWORD, _WRONG_PASSWORD, _NO_DATABASE = '28000', '28P01', '3D000'
# Connection exceptions, insufficient resources, and a server that stops or starts.
_TRANSIENT = ('08', '53', '57P')
_TUNNEL = (
    "ML Metadata's client does not support TLS: reach the server through a tunnel on this machine "
    "(ssh, stunnel, a cloud provider's proxy) or let it accept unencrypted connections from here"
)


@contextlib.contextmanager
def session(
    config: pb.ConnectionConfig,
    database: str = '',
    seconds: float = _STATEMENT_SECONDS,
    translate_errors: bool = True,
) -> Iterator[Session]:
    """Opens a session for the block.

    Args:
        config: from `connection.postgresql_config`.
        database: in place of the configured one.
        seconds: limit for a statement; the login has its own.
        translate_errors: whether errors in the block are the server's, see `server_errors`.

    Raises:
        Unavailable: the server cannot be reached.
        ConfigError, NotFound: it rejects the login, or has no such database.
    """
    target = config.postgresql
    password = connection.password(config)
    sock = None
    try:
        sock = _connect(target.host, int(target.port))
        opened = Session(
            target.user,
            host=target.host,
            database=database or target.dbname,
            password=password,
            sock=sock,
            ssl_context=False,  # as ML Metadata does
            application_name='thawline',
        )
    except BaseException as error:
        if sock is not None:
            sock.close()
        if isinstance(error, UserError) or not isinstance(error, Exception):
            raise
        raise _login_error(error, target) from error
    sock.settimeout(seconds)
    try:
        with server_errors(config) if translate_errors else contextlib.nullcontext():
            yield opened
    finally:
        with contextlib.suppress(Exception):  # gone already, or in the middle of a statement
            opened.close()
        sock.close()


@contextlib.contextmanager
def server_errors(config: pb.ConnectionConfig) -> Iterator[None]:
    """Rewords what statements in the block raise.

    Raises:
        ConfigError: the server rejects a statement.
        Unavailable: it is gone.
    """
    server = f'the metadata server {config.postgresql.host}:{config.postgresql.port}'
    try:
        yield
    except pg8000.exceptions.DatabaseError as error:
        kind = Unavailable if error_code(error).startswith(_TRANSIENT) else ConfigError
        raise kind(f'{server} reports: {error_message(error)}') from error
    except (pg8000.exceptions.InterfaceError, TimeoutError, ConnectionError) as error:
        raise Unavailable(f'{server} closed the connection: {error_message(error)}') from error


def _connect(host: str, port: int) -> socket.socket:
    try:
        if not host.startswith('/'):
            sock = socket.create_connection((host, port), _LOGIN_SECONDS)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return sock
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.settimeout(_LOGIN_SECONDS)
            sock.connect(f'{host}/.s.PGSQL.{port}')
            stack.pop_all()
        return sock
    except (OSError, UnicodeError) as error:
        raise Unavailable(
            f'cannot reach the metadata server {host}:{port}: {_reason(error)}; check that it is '
            'running, and metadata.postgresql.host and port'
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f'no answer within {_LOGIN_SECONDS:g} s'
    return getattr(error, 'strerror', None) or str(error)


def error_code(error: Exception) -> str:
    """PostgreSQL's code of an error, such as '3D000'; empty for errors of other origin."""
    fields = error.args[0] if error.args else None
    return str(fields.get('C', '')) if isinstance(fields, dict) else ''


def error_message(error: Exception) -> str:
    """The server's message."""
    fields = error.args[0] if error.args else None
    return str(fields.get('M', fields)) if isinstance(fields, dict) else str(error)


def _login_error(error: Exception, target: pb.PostgreSQLDatabaseConfig) -> UserError:
    server = f'the metadata server {target.host}:{target.port}'
    code, message = error_code(error), error_message(error)
    if isinstance(error, TimeoutError):
        return Unavailable(f'cannot reach {server}: {_reason(error)}')
    if code == _NO_DATABASE:
        return NotFound(
            f'no database {target.dbname!r} on {server}; create it with: thawline metadata check '
            f'--create, or: createdb -O {target.user} {target.dbname}'
        )
    if code in (_NO_PASSWORD, _WRONG_PASSWORD):
        rejected = f'{server} rejects the login of {target.user!r}: {message}'
        if code == _NO_PASSWORD:
            return ConfigError(f'{rejected}; {_TUNNEL}' if 'no encryption' in message else rejected)
        source = target.passfile or target.password.strip('${}')
        hint = (
            f'the password came from {source}'
            if source
            else 'it requires a password: set metadata.postgresql.password_env or passfile'
        )
        return ConfigError(f'{rejected}; {hint}')
    if code.startswith(_TRANSIENT):
        return Unavailable(f'{server} accepts no connections now: {message}; try again later')
    if code:
        return ConfigError(f'{server} reports: {message}')
    if isinstance(error, pg8000.exceptions.InterfaceError | OSError):
        return Unavailable(
            f'{server} closed the connection: {message}; check that it is a PostgreSQL server'
        )
    if isinstance(error, KeyError | ValueError | struct.error | UnicodeError):
        return ConfigError(f'{target.host}:{target.port} is not a PostgreSQL server')
    return ConfigError(f'cannot use {server}: {type(error).__name__}: {message}')


def create_database(config: pb.ConnectionConfig) -> bool:
    """Creates the database if it does not exist; returns whether it did.

    Raises:
        ConfigError: it cannot be created.
    """
    target = config.postgresql
    with session(config, database='postgres', seconds=_CREATE_SECONDS) as admin:
        if admin.run('select 1 from pg_database where datname = :name', name=target.dbname):
            return False
        try:
            admin.run(f'create database {pg8000.native.identifier(target.dbname)}')
        except pg8000.exceptions.DatabaseError as error:
            raise ConfigError(
                f'{target.user!r} cannot create the database {target.dbname!r}: '
                f'{error_message(error)}; ask an administrator for: createdb -O {target.user} '
                f'{target.dbname}'
            ) from error
    return True
