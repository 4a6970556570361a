"""Errors that a person can act on, each class named for what helps.

Their message stands alone: what is wrong, where, the value received, and what would be right. The
command line prints it without a traceback; any other exception is a crash and is reported as one.
"""

from __future__ import annotations

import errno
import os
import re

_NO_SPACE = os.strerror(errno.ENOSPC)
_SQL = re.compile(r'Error when executing query: (.{1,200}?) query: ', re.DOTALL)
# The device or server behind a path may be back later, without a change by the person.
_TRANSIENT = frozenset(
    getattr(errno, name)
    for name in (
        'EIO', 'ENOSPC', 'EDQUOT', 'ESTALE', 'EBUSY', 'ETIMEDOUT', 'EHOSTDOWN', 'EHOSTUNREACH',
        'ENETDOWN', 'ENETUNREACH', 'ENETRESET', 'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED',
        'ENOTCONN', 'ESHUTDOWN', 'EREMOTEIO', 'ENFILE', 'EMFILE',
    )
    if hasattr(errno, name)
)  # fmt: skip


class UserError(Exception):
    """Base of all errors whose message is written for the person at the prompt."""


class ConfigError(UserError):
    """The configuration, the command line or the environment is wrong: correct it."""


class DataError(UserError):
    """The images or labels do not allow a run: correct them. Nothing was trained.

    Attributes:
        unusable: a CSV of the files that cannot be used, each with its reason; '' for none. The
            quarantine of a node that fails is removed with its other outputs.
    """

    def __init__(self, message: str, unusable: str = '') -> None:
        super().__init__(message)
        self.unusable = unusable


class NotFound(UserError):
    """A run, model, file or node that was named is not there: name another, or make it."""


class Busy(UserError):
    """Another process holds it: try again when that has ended."""


class Unavailable(UserError):
    """A server or disk does not answer: try again when it is back."""


def user_error(error: BaseException) -> UserError | None:
    """The first error for a person in a chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return cause
        if in_words := _disk_error(cause) or _metadata_error(cause):
            return in_words
        cause = cause.__cause__ or cause.__context__
    return None


def _disk_error(error: BaseException) -> UserError | None:
    """For a full disk, whichever library says so: TensorFlow and Beam have it in a text."""
    by_number = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not by_number and _NO_SPACE not in str(error):
        return None
    path = getattr(error, 'filename', None)
    where = f': {os.fsdecode(path)} cannot be written' if path else ''
    return Unavailable(f'disk full{where}; free some space, and run again')


def _metadata_error(error: BaseException) -> UserError | None:
    """For an error of ML Metadata's database, which it words with the whole of its SQL."""
    match = _SQL.search(str(error))
    if match is None:
        return None
    reason = match.group(1)
    message = f'the database that records the runs cannot be used: {reason}'
    if 'full' in reason or 'I/O' in reason:
        return Unavailable(f'{message}; free some space, and run again')
    if 'locked' in reason:
        return Busy(f'{message}; try again later')
    return ConfigError(f'{message}; restore it from a backup')


def from_os_error(
    error: OSError, message: str, otherwise: type[UserError] = ConfigError, hint: str = ''
) -> UserError:
    """The error with a message for what the operating system reports of a path.

    Args:
        error: of the operating system.
        message: what cannot be done; the system's reason follows it.
        otherwise: the class where it is not the disk or server that fails.
        hint: what follows the reason.
    """
    kind = Unavailable if error.errno in _TRANSIENT else otherwise
    return kind(f'{message}: {error.strerror or error}{hint}')
