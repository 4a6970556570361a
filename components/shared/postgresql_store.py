"""ML Metadata on PostgreSQL, with strings that its version 1.21 cannot write, and all in order.

ML Metadata quotes a string by libpq's PQescapeLiteral and cuts the quotes off again. Of a string
with a backslash that leaves ` E'...`, and the statement is no longer SQL, or is somebody else's.
JSON within JSON, regular expressions and paths of Windows all have backslashes, so these are stored
as a character that looks like one.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import ml_metadata as mlmd
from google.protobuf import descriptor, message
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared.errors import Unavailable

_BACKSLASH, _WIDE, _ESCAPE = '\\', '\uff3c', '\ue05d'
_STORED = {_BACKSLASH: _WIDE, _WIDE: f'{_ESCAPE}f', _ESCAPE: f'{_ESCAPE}e'}
_MEANT = {stored: meant for meant, stored in _STORED.items()}
_TO_STORE = re.compile('|'.join(map(re.escape, _STORED)))
_TO_READ = re.compile('|'.join(map(re.escape, _MEANT)))
# ML Metadata writes these as bytes or base64.
_OPAQUE = 'google.protobuf.'
_QUOTE = "'"  # around values of a connection string
# Without a connection libpq has no message; the others are its own and the server's last words.
_LOST = re.compile(
    r'metadata source error:\s*$|connection pointer is NULL|no connection to the server|'
    r'server closed the connection|terminating connection|could not (send|receive) data'
)


def stored(text: str) -> str:
    """A string as the database holds it."""
    return _TO_STORE.sub(lambda found: _STORED[found[0]], text)


def meant(text: str) -> str:
    """The string that the database holds as `text`."""
    return _TO_READ.sub(lambda found: _MEANT[found[0]], text)


def without_connection(record: logging.LogRecord) -> bool:
    """Keeps the connection, which has the password, out of logs at level DEBUG."""
    return not str(record.msg).startswith('ConnectionConfig')


# ML Metadata logs through the logger that all of Abseil shares.
logging.getLogger('absl').addFilter(without_connection)


class PostgreSQLStore(mlmd.MetadataStore):
    """As the base class, and all comes back as it was put, and as SQLite gives it."""

    def _pywrap_cc_call(self, method: Any, request: Any, response: Any) -> None:
        # The request is a copy of what the caller has.
        change_strings(request, stored)
        with _connection_errors(self._config):
            super()._pywrap_cc_call(method, request, response)
        change_strings(response, meant)
        for event in getattr(response, 'events', ()):
            order_steps(event)
        if not (hasattr(request, 'options') and request.HasField('options')):
            order_records(response)


def connect(connection: pb.ConnectionConfig) -> PostgreSQLStore:
    """Opens the database of a complete connection; makes the tables where there are none.

    Raises:
        Unavailable: the server cannot be reached.
        RuntimeError: ML Metadata cannot use the database.
    """
    with _connection_errors(connection):
        return PostgreSQLStore(connection)


@contextlib.contextmanager
def _connection_errors(config: pb.ConnectionConfig) -> Iterator[None]:
    """Tells a server that is gone from any other error of ML Metadata."""
    try:
        yield
    except (RuntimeError, mlmd.errors.InternalError) as error:
        if not _LOST.search(str(error)):
            raise
        server = f'{config.postgresql.host.strip(_QUOTE)}:{config.postgresql.port}'
        raise Unavailable(
            f'the connection to the metadata server {server} was lost or refused'
        ) from error


def order_records(response: message.Message) -> None:
    """Puts artifacts, executions and contexts into the order of their numbers.

    SQLite gives them so, and TFX pairs what it asked for with what comes by place alone (outputs
    that are served from the cache, among others). PostgreSQL gives a record that was changed last.
    """
    for kind in ('artifacts', 'executions', 'contexts'):
        if kind in response.DESCRIPTOR.fields_by_name:
            getattr(response, kind).sort(key=lambda record: record.id)


def order_steps(event: pb.Event) -> None:
    """Puts the steps of a path into the order in which TFX writes them: a key, then its index.

    ML Metadata reads them in the order in which the server finds them, which is not always that in
    which they were put.
    """
    steps = event.path.steps
    if len(steps) == 2 and steps[0].HasField('index') and steps[1].HasField('key'):
        later = pb.Event.Path.Step()
        later.CopyFrom(steps[0])
        del steps[0]
        steps.append(later)


def change_strings(of: message.Message, change: Callable[[str], str]) -> None:
    """Changes all strings of a message and of those inside it, in place."""
    for field, value in of.ListFields():
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            _change_map(value, inner, change)
        elif inner is not None and not inner.full_name.startswith(_OPAQUE):
            for one in value if _is_repeated(field) else (value,):
                change_strings(one, change)
        elif field.type == descriptor.FieldDescriptor.TYPE_STRING:
            if _is_repeated(field):
                value[:] = [change(one) for one in value]
            else:
                setattr(of, field.name, change(value))


def _change_map(entries: Any, entry: Any, change: Callable[[str], str]) -> None:
    kind = entry.fields_by_name['value']
    for key in list(entries):
        name = change(key)
        if kind.message_type is None:
            entries[name] = entries.pop(key)
            continue
        change_strings(entries[key], change)
        if name != key:
            entries[name].CopyFrom(entries[key])
            del entries[key]


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated)
