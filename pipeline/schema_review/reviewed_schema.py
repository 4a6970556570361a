"""The reviewed schema of a project, read so that what is wrong with it is named with its line."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from thawline.components.shared import files
from thawline.components.shared.errors import Busy, ConfigError, NotFound, from_os_error
from thawline.pipeline.config import curated_schema
from thawline.pipeline.config.project import Project

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

_PLACE = re.compile(r'^\d+:\d+ : ')  # as protobuf begins a message
_OTHER = 'correct it, or move it away and write another one with: thawline schema infer'


def read(project: Project) -> tuple[str, schema_pb2.Schema] | None:
    """Its text and the schema; None where there is none, unless one is configured.

    The schema has all features of ours, also those that came after it was reviewed.

    Raises:
        NotFound: there is none, but the configuration names it.
        ConfigError: it is no file, or no schema; the message has the line.
    """
    path = project.schema
    if not os.path.lexists(path):
        if project.config.data.schema_file is None:
            return None
        raise NotFound(f'data.schema_file: there is no file {path}')
    if path.is_dir():
        raise ConfigError(f'the reviewed schema {path} is a folder; remove or rename it')
    try:
        content = path.read_bytes()
    except OSError as error:
        raise from_os_error(error, f'the reviewed schema {path} cannot be read') from error
    try:
        text = content.decode('utf-8')
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b'\n') + 1
        raise ConfigError(
            f'the reviewed schema {path}:{number} is not UTF-8 (byte {content[error.start]:#04x}); '
            'save it as UTF-8'
        ) from error
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        line = f':{error.GetLine()}' if error.GetLine() else ''
        reason = _PLACE.sub('', str(error)).rstrip('.')
        raise ConfigError(f'the reviewed schema {path}{line}: {reason}; {_OTHER}') from error
    if not schema.feature:
        raise ConfigError(f'the reviewed schema {path} describes no feature; {_OTHER}')
    text = curated_schema.complete(content).decode()
    return text, text_format.Parse(text, schema_pb2.Schema())


def replace(project: Project, before: str, after: str) -> None:
    """Writes a changed text of the reviewed schema, all at once.

    Args:
        project: whose schema.
        before: as `read` gave it. `review` waits for answers for as long as it takes, and people
            and other commands may write meanwhile.
        after: what to write.

    Raises:
        Busy: the schema is no longer as before.
    """
    current = read(project)
    if current is None or current[0] != before:
        raise Busy(f'{project.schema} has changed meanwhile; nothing was written. Begin anew.')
    files.write_text(project.schema, after)
