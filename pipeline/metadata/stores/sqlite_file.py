"""Whether the SQLite file of a project can be used, before ML Metadata opens it.

ML Metadata answers a damaged file with the text of its SQL, and a missing one with a new one: runs
would then be numbered from 1 again, into folders that hold the artifacts of earlier runs.
"""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
from collections.abc import Iterator

from thawline.components.shared.errors import Busy, ConfigError, NotFound, UserError
from thawline.pipeline.config.project import Project

_WAIT = 10.0  # seconds for another process to end its transaction


def check(project: Project, write: bool = False) -> None:
    """Refuses a file that cannot be used.

    Args:
        project: whose runs it records.
        write: whether a run will write to it; its content is then checked as a whole.

    Raises:
        NotFound: it is missing, and there are artifacts of earlier runs.
        ConfigError: it is damaged, or cannot be opened.
        Busy: another program keeps it locked.
    """
    path = project.metadata
    if not path.exists() or path.stat().st_size == 0:
        # <node>/<key>/<number>: what lies beside them is no artifact.
        if any(path.name.isdigit() for path in project.artifacts.glob('*/*/*')):
            state = 'empty' if path.exists() else 'missing'
            raise NotFound(
                f'{path} is {state}, but {project.artifacts} holds the artifacts of earlier runs; '
                f'restore the file from a backup, or move {project.output} away to start anew'
            )
        return
    with errors_in_words(path), contextlib.closing(connect(path)) as database:
        if write:
            ((verdict,), *_) = database.execute('PRAGMA quick_check(1)').fetchall()
            if verdict != 'ok':
                raise _damaged(path, verdict)
            database.execute('BEGIN IMMEDIATE')
            database.rollback()
        else:
            database.execute('SELECT count(*) FROM sqlite_master')


@contextlib.contextmanager
def errors_in_words(path: pathlib.Path) -> Iterator[None]:
    """Words SQLite's errors in the block for people.

    Raises:
        Busy: another program keeps the file locked.
        ConfigError: it is damaged, or cannot be written.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _in_words(path, error) from error


def connect(path: pathlib.Path) -> sqlite3.Connection:
    """Opens the file, which must exist; waits some seconds for others to end a transaction."""
    return sqlite3.connect(f'{path.absolute().as_uri()}?mode=rw', timeout=_WAIT, uri=True)


def _in_words(path: pathlib.Path, error: sqlite3.Error) -> UserError:
    if 'locked' in str(error):
        return Busy(f'{path} is locked by another program for {_WAIT:.0f} s; try again later')
    if 'unable to open' in str(error) or 'readonly' in str(error):
        return ConfigError(f'{path} cannot be written: {error}; check its permissions')
    return _damaged(path, str(error))


def _damaged(path: pathlib.Path, why: str) -> ConfigError:
    return ConfigError(
        f'{path}, which records the runs, is damaged ({why}); restore it from a backup, save what '
        f'can be read with: sqlite3 {path} .recover, or move {path.parent} away to start anew'
    )
