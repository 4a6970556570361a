"""Ties a pipeline in a database to the one output folder that holds its runs.

Artifacts lie in folders named by numbers from the metadata. Were one folder recorded in two places,
or two folders under one name in one place, new results would overwrite old ones and the cache would
return files that do not exist. So a folder whose runs a database records holds a file with a mark,
and the database holds the same mark.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError

if TYPE_CHECKING:
    from thawline.pipeline.metadata.stores.postgresql import Session

FILE = 'metadata_place.json'
TABLE = 'thawline_pipelines'
_LOCK = 0x7448_4157  # while the table is created


@dataclasses.dataclass(frozen=True)
class FolderMark:
    """What a folder records: a random mark, and the name of the database."""

    mark: str
    place: str


@dataclasses.dataclass(frozen=True)
class PipelineOwner:
    """What a database records of a pipeline: the folder of its runs, and that folder's mark."""

    folder: str
    mark: str


def read_mark(output: pathlib.Path) -> FolderMark | None:
    """The mark of a folder; None if no database records its runs.

    Raises:
        ConfigError: it cannot be read.
    """
    path = output / FILE
    try:
        content = json.loads(path.read_text('utf-8'))
        return FolderMark(str(content['mark']), str(content['place']))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f'{path} cannot be read ({error}); it names the database that records the runs in '
            f'{output}'
        ) from error


def write_mark(output: pathlib.Path, mark: FolderMark) -> None:
    files.write_text(output / FILE, json.dumps(dataclasses.asdict(mark), indent=1) + '\n')


def read_owner(session: Session, pipeline: str) -> PipelineOwner | None:
    if session.run(f"select to_regclass('{TABLE}')") == [[None]]:
        return None
    rows = session.run(f'select folder, mark from {TABLE} where name = :name', name=pipeline)
    return PipelineOwner(*rows[0]) if rows else None


def insert_owner(session: Session, pipeline: str, owner: PipelineOwner) -> PipelineOwner:
    """Inserts an owner unless there is one, in the current transaction; returns who owns it."""
    session.run(f'select pg_advisory_xact_lock({_LOCK})')
    session.run(
        f'create table if not exists {TABLE} (name text primary key, folder text not null, '
        'mark text not null, since timestamptz not null default now())'
    )
    session.run(
        f'insert into {TABLE} (name, folder, mark) values (:name, :folder, :mark) '
        'on conflict (name) do nothing',
        name=pipeline,
        folder=owner.folder,
        mark=owner.mark,
    )
    current = read_owner(session, pipeline)
    assert current is not None, 'was inserted'
    return current


def claim_pipeline(session: Session, pipeline: str, output: pathlib.Path, place: str) -> None:
    """Makes a folder the owner of its pipeline unless it already is.

    Raises:
        ConfigError: another folder owns it, or the runs in this one are recorded elsewhere.
    """
    owner, mark = read_owner(session, pipeline), read_mark(output)
    check_owner(owner, mark, pipeline, output, place)
    if owner is not None:
        return
    claim = PipelineOwner(str(output), secrets.token_hex(8))
    with transaction(session):
        owner = insert_owner(session, pipeline, claim)
        if owner == claim:  # else another process was first
            write_mark(output, FolderMark(claim.mark, place))
    check_owner(owner, read_mark(output), pipeline, output, place)


def check_owner(
    owner: PipelineOwner | None,
    mark: FolderMark | None,
    pipeline: str,
    output: pathlib.Path,
    place: str,
) -> None:
    """Refuses a folder whose runs a database must not record.

    Args:
        owner: of the pipeline, by the database.
        mark: of the folder.
        pipeline: its name.
        output: the folder.
        place: name of the database.

    Raises:
        ConfigError: it must not.
    """
    if owner is not None:
        if mark is not None and mark.mark == owner.mark:
            check_place(owner, pipeline, output, place)
            return
        where = (
            f'which is not this {output}: it is on another machine, or its {FILE} was removed'
            if owner.folder == str(output)
            else f'not in {output}'
        )
        raise ConfigError(
            f'{place} has a pipeline {pipeline!r} whose runs are in {owner.folder}, {where}; '
            'give this project another name, or a database of its own'
        )
    if not has_runs(output):
        return
    if mark is not None and mark.place != place:
        why = f'they are recorded in {mark.place}'
    elif (output / 'metadata.sqlite').is_file():
        why = 'they are recorded in metadata.sqlite; copy them with: thawline metadata migrate'
    else:
        why = 'their records are gone'
    raise ConfigError(
        f'{place} does not record the runs in {output}: {why}; or give the project another output'
    )


def check_place(owner: PipelineOwner, pipeline: str, output: pathlib.Path, place: str) -> None:
    """Refuses the folder that owns a pipeline, or a copy of it, under another path.

    The paths in a database may be in use on other machines, so nobody rewrites them here.

    Raises:
        ConfigError: it is under another path.
    """
    if owner.folder == str(output):
        return
    with contextlib.suppress(OSError):
        if output.samefile(owner.folder):  # a link is left there
            return
    raise ConfigError(
        f'the runs of {pipeline!r} are recorded in {place} as files in {owner.folder}, and this '
        f'folder, {output}, was moved or copied from there; if it was moved, move it back or leave '
        f'a link: mkdir -p {shlex.quote(os.path.dirname(owner.folder))} && ln -s '
        f'{shlex.quote(str(output))} {shlex.quote(owner.folder)}; if it is a copy, give it another '
        f'name, and remove {output}'
    )


def has_runs(output: pathlib.Path) -> bool:
    """Whether a folder holds artifacts, or records of runs in a file."""
    artifacts = output / 'artifacts'
    return (output / 'metadata.sqlite').is_file() or (
        artifacts.is_dir() and any(artifacts.iterdir())
    )


def check_file(output: pathlib.Path) -> None:
    """Refuses to record a folder's runs in its own file once a database records them.

    Raises:
        ConfigError: one does.
    """
    mark = read_mark(output)
    if mark is not None:
        raise ConfigError(
            f'the runs in {output} are recorded in {mark.place}, and the configuration has no '
            'database; put metadata.postgresql back, or give the project another output'
        )


@contextlib.contextmanager
def transaction(session: Session) -> Iterator[None]:
    """Commits the block as a whole, or nothing of it."""
    session.run('begin')
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):  # the connection may be what broke
            session.run('rollback')
        raise
    session.run('commit')
