"""Passwords, from the environment or a passfile, read when they are needed and never kept."""

from __future__ import annotations

import os
import pathlib
import re
import stat
from collections.abc import Mapping

from thawline.components.shared.errors import ConfigError, from_os_error

_FIELDS = 5  # host:port:database:user:password


def read_variable(name: str, environment: Mapping[str, str] | None = None) -> str:
    """The password in an environment variable.

    Raises:
        ConfigError: the variable is not set, or empty.
    """
    password = (os.environ if environment is None else environment).get(name, '')
    if not password:
        raise ConfigError(
            f'metadata.postgresql.password_env: the environment variable {name} is not set; '
            'it must hold the password of the database'
        )
    return password


def read_passfile(path: pathlib.Path, host: str, port: int, database: str, user: str) -> str:
    """The password in a passfile.

    Raises:
        UserError: the file cannot be read, others may read it, or no line of it matches.
    """
    where = 'metadata.postgresql.passfile'
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(f'{where}: {path} is not a file')
        if mode & 0o077:
            raise ConfigError(
                f'{where}: others may read {path} (mode {stat.S_IMODE(mode):04o}); '
                f'run: chmod 600 {path}'
            )
        text = path.read_text('utf-8')
    except UnicodeDecodeError as error:
        raise ConfigError(f'{where}: {path} is not UTF-8 text') from error
    except OSError as error:
        raise from_os_error(error, f'{where}: {path} cannot be read') from error
    password = find_password(text, host, port, database, user)
    if password is None:
        raise ConfigError(
            f'{where}: no line of {path} is for {host}:{port}:{database}:{user}; a line is '
            'host:port:database:user:password, with * for any'
        )
    return password


def find_password(text: str, host: str, port: int, database: str, user: str) -> str | None:
    r"""The password of the first line that matches, by libpq's rules; None if none does.

    Fields are separated by `:`, a field `*` matches anything, `\` escapes a `:` or `\` in a field.
    A socket's folder is looked up by its own name and as `localhost`.
    See https://www.postgresql.org/docs/15/libpq-pgpass.html.
    """
    hosts = {host, 'localhost'} if host.startswith('/') else {host}
    for line in text.split('\n'):
        fields = [] if line.startswith('#') else _fields(line.rstrip('\r'))
        if len(fields) < _FIELDS:
            continue
        matches = (
            fields[0] in {'*', *hosts}
            and fields[1] in {'*', str(port)}
            and fields[2] in {'*', database}
            and fields[3] in {'*', user}
        )
        if matches and fields[4]:
            return fields[4]
    return None


def _fields(line: str) -> list[str]:
    """The first five fields; what follows a fifth colon is not part of the password."""
    parts = re.findall(r'((?:[^:\\]|\\.|\\$)*)(?::|$)', line)
    return [re.sub(r'\\(.)', r'\1', part) for part in parts[:_FIELDS]]
