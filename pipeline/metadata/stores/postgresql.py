"""Sessions on a PostgreSQL server beside ML Metadata's own, whose errors say what to do.

ML Metadata tells a failed connection as `connection pointer is NULL`, and waits for a silent server
as long as the system does. So whoever opens a database asks here first whether it answers.
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

_SECONDS = 8.0  # for each step of signing in
_STATEMENT = 20.0  # for each statement, where the caller gives no other limit
_CREATE = 120.0  # for a copy of the empty database, which the server writes file by file
_NO_PASSWORD, _WRONG_PASSWORD, _NO_DATABASE = '28000', '28P01', '3D000'
# Connection exceptions, a lack of resources (too many connections, a full disk), a server that
# stops or starts: https://www.postgresql.org/docs/15/errcodes-appendix.html
_TRANSIENT = ('08', '53', '57P')
_TUNNEL = (
    "ML Metadata's client speaks no TLS: reach the server through a tunnel on this machine (ssh, "
    "stunnel, a cloud provider's proxy) or let it accept unencrypted connections from here"
)


@contextlib.contextmanager
def session(
    described: pb.ConnectionConfig,
    database: str = '',
    seconds: float = _STATEMENT,
    told: bool = True,
) -> Iterator[Session]:
    """Signs in, for the time of the block.

    Args:
        described: as `connection.postgresql` makes it.
        database: instead of the described one.
        seconds: that a statement may take; signing in has its own limit.
        told: whether errors in the block are the server's, see `telling`.

    Raises:
        Unavailable: the server cannot be reached.
        ConfigError, NotFound: it does not let this user in, or has no such database.
    """
    target = described.postgresql
    secret = connection.password(described)
    server = f'{target.host}:{target.port}'
    opened = None
    try:
        opened = _socket(target.host, int(target.port), server)
        signed_in = Session(
            target.user,
            host=target.host,
            database=database or target.dbname,
            password=secret,
            sock=opened,
            ssl_context=False,  # as ML Metadata does
            application_name='thawline',
        )
    except BaseException as error:
        if opened is not None:
            opened.close()
        if isinstance(error, UserError) or not isinstance(error, Exception):
            raise
        raise _refusal(error, described, server) from error
    opened.settimeout(seconds)
    try:
        with telling(described) if told else contextlib.nullcontext():
            yield signed_in
    finally:
        with contextlib.suppress(Exception):  # gone already, or in the middle of a statement
            signed_in.close()
        opened.close()


@contextlib.contextmanager
def telling(described: pb.ConnectionConfig) -> Iterator[None]:
    """Says of what statements raise in the block that it comes from the server.

    Raises:
        ConfigError: it refuses a statement.
        Unavailable: it is gone.
    """
    server = f'{described.postgresql.host}:{described.postgresql.port}'
    try:
        yield
    except pg8000.exceptions.DatabaseError as error:
        kind = Unavailable if code(error).startswith(_TRANSIENT) else ConfigError
        raise kind(f'the metadata server {server} refuses: {message(error)}') from error
    except (pg8000.exceptions.InterfaceError, TimeoutError, ConnectionError) as error:
        raise Unavailable(f'the metadata server {server} broke off: {message(error)}') from error


def _socket(host: str, port: int, server: str) -> socket.socket:
    try:
        if host.startswith('/'):
            with contextlib.ExitStack() as stack:
                opened = stack.enter_context(socket.socket(socket.AF_UNIX))
                opened.settimeout(_SECONDS)
                opened.connect(f'{host}/.s.PGSQL.{port}')
                stack.pop_all()
            return opened
        opened = socket.create_connection((host, port), _SECONDS)
    except (OSError, UnicodeError) as error:
        raise Unavailable(
            f'the metadata server {server} cannot be reached: {_reason(error)}; is it running, and '
            'are metadata.postgresql.host and port right?'
        ) from error
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return opened


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f'no answer within {_SECONDS:g} s'
    return getattr(error, 'strerror', None) or str(error)


def code(error: Exception) -> str:
    """PostgreSQL's code of an error, such as '3D000'; empty where it is none of the server's."""
    told = error.args[0] if error.args else None
    return str(told.get('C', '')) if isinstance(told, dict) else ''


def message(error: Exception) -> str:
    """What the server says."""
    told = error.args[0] if error.args else None
    return str(told.get('M', told)) if isinstance(told, dict) else str(error)


def _refusal(error: Exception, described: pb.ConnectionConfig, server: str) -> UserError:
    """Why the server does not let anybody in."""
    target = described.postgresql
    found, told = code(error), message(error)
    if isinstance(error, TimeoutError):
        return Unavailable(f'the metadata server {server} cannot be reached: {_reason(error)}')
    if found == _NO_DATABASE:
        return NotFound(
            f'there is no database {target.dbname!r} on {server}; make it with: thawline metadata '
            f'check --create, or: createdb -O {target.user} {target.dbname}'
        )
    if found == _WRONG_PASSWORD:
        source = target.passfile or target.password.strip('${}')
        asked = (
            f'the password came from {source}'
            if source
            else 'it asks for a password: set metadata.postgresql.password_env or passfile'
        )
        return ConfigError(
            f'the metadata server {server} does not let {target.user!r} in: {told}; {asked}'
        )
    if found == _NO_PASSWORD:
        more = f'; {_TUNNEL}' if 'no encryption' in told else ''
        return ConfigError(
            f'the metadata server {server} does not let {target.user!r} in: {told}{more}'
        )
    if found.startswith(_TRANSIENT):
        return Unavailable(f'the metadata server {server} takes no one in now: {told}; try again')
    if found:
        return ConfigError(f'the metadata server {server} refuses: {told}')
    if isinstance(error, pg8000.exceptions.InterfaceError | OSError):
        return Unavailable(
            f'the metadata server {server} broke off: {told}; is it a PostgreSQL server?'
        )
    if isinstance(error, KeyError | ValueError | struct.error | UnicodeError):
        return ConfigError(f'what answers at {server} is no PostgreSQL server')
    return ConfigError(
        f'the metadata server {server} cannot be used: {type(error).__name__}: {told}'
    )


def create(described: pb.ConnectionConfig) -> bool:
    """Makes the database where there is none; returns whether it did.

    Raises:
        ConfigError: it cannot be made.
    """
    target = described.postgresql
    with session(described, database='postgres', seconds=_CREATE) as found:
        known = found.run('select 1 from pg_database where datname = :name', name=target.dbname)
        if known:
            return False
        try:
            found.run(f'create database {pg8000.native.identifier(target.dbname)}')
        except pg8000.exceptions.DatabaseError as error:
            raise ConfigError(
                f'{target.user!r} cannot make the database {target.dbname!r}: {message(error)}; '
                f'have it made with: createdb -O {target.user} {target.dbname}'
            ) from error
    return True
