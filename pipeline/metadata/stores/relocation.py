"""Finds artifacts again after a project was moved or copied.

ML Metadata holds full paths. When those in a project's SQLite file are of another folder than the
one the project is in now, they are rewritten, once, in one transaction, and after a backup. A copy
is treated like a move: it must neither read nor change what the original has.

Times of the records stay, because TFX's cache keys hold them.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import sqlite3

from thawline.components.shared import files
from thawline.components.shared.errors import Busy
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.stores import sqlite_file
from thawline.pipeline.system import file_locks
from thawline.pipeline.system.paths_in_text import replace_folders

BACKUP = 'metadata.before_move.sqlite'
_ARTIFACT = re.compile(r'(.+)/artifacts/[^/]+/[^/]+/\d+')  # <node>/<key>/<number>, as TFX has it
_TEXTS = (
    ('Artifact', 'uri'),
    ('ArtifactProperty', 'string_value'),
    ('ExecutionProperty', 'string_value'),
    ('ContextProperty', 'string_value'),
)


def relocate(project: Project) -> str | None:
    """Makes the records of a project those of the folder that it is in.

    Returns:
        A line that says so; None where there was nothing to do, or no database that can be read.

    Raises:
        Busy: a process works in this folder, which it knows by another path.
        UserError: the records cannot be written.
    """
    if project.postgresql is not None or not _recorded_elsewhere(project):
        return None
    note = f'its records are relocated (process {os.getpid()})'

    def busy(holder: str) -> Busy:
        return Busy(
            f'the runs in {project.output} were recorded under another path, and cannot be '
            f'relocated while another command is at work there ({holder}); try again when it has '
            'finished'
        )

    with (
        file_locks.lock(project.run_lock, note, busy=busy),
        file_locks.lock(project.registry_lock, note, busy=busy),
    ):
        earlier = _recorded_elsewhere(project)  # nobody else was faster
        if not earlier:
            return None
        others: dict[str, str] = {}
        for output in earlier:
            others |= _other_folders(project, output)
        _rewrite(project.metadata, others)
        _relink_reports(project, others)
    return (
        f'this project was moved or copied from {", ".join(earlier)}: its runs are now recorded '
        f'in {project.output} (the records before: {project.output / BACKUP})'
    )


def _recorded_elsewhere(project: Project) -> list[str]:
    """Output folders other than the project's that artifacts are recorded in, newest first."""
    if not project.metadata.is_file():
        return []
    try:
        with contextlib.closing(sqlite_file.connect(project.metadata)) as database:
            uris = database.execute('SELECT uri FROM Artifact ORDER BY id DESC').fetchall()
    except sqlite3.Error:
        return []  # said in full by whatever opens it next
    matches = (_ARTIFACT.fullmatch(uri or '') for (uri,) in uris)
    outputs = dict.fromkeys(match[1] for match in matches if match)
    return [output for output in outputs if output != str(project.output)]


def _other_folders(project: Project, earlier: str) -> dict[str, str]:
    """What takes the place of the earlier output folder, and of the project's own folder then."""
    others = {earlier: str(project.output)}
    if project.output.is_relative_to(project.home):
        inside = f'/{project.output.relative_to(project.home)}'
        if earlier.endswith(inside) and earlier != inside:
            others[earlier.removesuffix(inside)] = str(project.home)
    return others


def _rewrite(path: pathlib.Path, others: dict[str, str]) -> None:
    with (
        sqlite_file.errors_in_words(path),
        contextlib.closing(sqlite_file.connect(path)) as database,
    ):
        backup = path.with_name(BACKUP)
        with (
            files.write_errors(backup),
            files.replacement(backup) as draft,
            contextlib.closing(sqlite3.connect(draft)) as copy,
        ):
            database.backup(copy)
        database.create_function('moved', 1, lambda text: text and replace_folders(text, others))
        with database:  # commits all of it or nothing
            database.execute('BEGIN IMMEDIATE')
            for table, column in _TEXTS:
                database.execute(
                    f'UPDATE {table} SET {column} = moved({column}) '
                    f'WHERE {column} != moved({column})'
                )


def _relink_reports(project: Project, others: dict[str, str]) -> None:
    """Links to reports by their full path, as earlier versions made them."""
    for link in (project.output / 'reports').glob('*.html'):
        if not link.is_symlink():
            continue
        before = os.readlink(link)
        after = replace_folders(before, others)
        if after != before:
            with files.write_errors(link), files.replacement(link) as draft:
                draft.symlink_to(os.path.relpath(after, link.parent))
