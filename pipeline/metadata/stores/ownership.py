"""Which folder the runs of a pipeline are in, so that no two folders share one record of them.

Artifacts lie in folders named by numbers that the metadata give out. Were a folder recorded in two
places, or two folders under one name in one place, new results would land among old ones and the
cache would answer with files that are not there. So a folder whose runs a database records holds a
file that says so, and the database the folder's mark.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError

if TYPE_CHECKING:
    from thawline.pipeline.metadata.stores.postgresql import Session

FILE = 'metadata_place.json'
TABLE = 'thawline_pipelines'
_LOCK = 0x7448_4157  # of the moment in which the table is made


@dataclasses.dataclass(frozen=True)
class Mark:
    """What a folder knows of its place: a random mark, and the name of the database."""

    mark: str
    place: str


@dataclasses.dataclass(frozen=True)
class Owner:
    """What a database knows of a pipeline: the folder of its runs, and that folder's mark."""

    folder: str
    mark: str


def mark_of(output: pathlib.Path) -> Mark | None:
    """The mark of a folder; None where no database records its runs.

    Raises:
        ConfigError: there is one that cannot be read.
    """
    path = output / FILE
    try:
        found = json.loads(path.read_text('utf-8'))
        return Mark(str(found['mark']), str(found['place']))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f'{path} cannot be read ({error}); it says which database records the runs in {output}'
        ) from error


def put_mark(output: pathlib.Path, mark: Mark) -> None:
    """Writes the mark of a folder, all at once."""
    files.write_text(output / FILE, json.dumps(dataclasses.asdict(mark), indent=1) + '\n')


def owner_of(session: Session, pipeline: str) -> Owner | None:
    """Who owns a pipeline in a database."""
    if session.run(f"select to_regclass('{TABLE}')") == [[None]]:
        return None
    rows = session.run(f'select folder, mark from {TABLE} where name = :name', name=pipeline)
    return Owner(*rows[0]) if rows else None


def put_owner(session: Session, pipeline: str, owner: Owner) -> Owner:
    """Enters an owner where there is none, in the transaction under way; returns who it is then."""
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
    found = owner_of(session, pipeline)
    assert found is not None, 'was entered'
    return found


def claim(session: Session, pipeline: str, output: pathlib.Path, place: str) -> None:
    """Makes a folder the owner of its pipeline, if it is not yet.

    Raises:
        ConfigError: another folder is, or the runs in this one are recorded elsewhere.
    """
    known, mark = owner_of(session, pipeline), mark_of(output)
    check(known, mark, pipeline, output, place)
    if known is not None:
        return
    wanted = Owner(str(output), secrets.token_hex(8))
    with transaction(session):
        known = put_owner(session, pipeline, wanted)
        if known == wanted:  # else another process was first
            put_mark(output, Mark(wanted.mark, place))
    check(known, mark_of(output), pipeline, output, place)


def check(
    known: Owner | None, mark: Mark | None, pipeline: str, output: pathlib.Path, place: str
) -> None:
    """Whether a folder may have its runs recorded in a database.

    Args:
        known: whom the database knows as the pipeline's owner.
        mark: of the folder.
        pipeline: name of it.
        output: the folder.
        place: name of the database.

    Raises:
        ConfigError: it may not.
    """
    if known is not None:
        if mark is not None and mark.mark == known.mark:
            return
        where = (
            f'which is not this {output}: it is on another machine, or its {FILE} was removed'
            if known.folder == str(output)
            else f'not in {output}'
        )
        raise ConfigError(
            f'{place} knows a pipeline {pipeline!r} whose runs are in {known.folder}, {where}; '
            'give this project another name, or a database of its own'
        )
    if not has_runs(output):
        return
    if mark is not None and mark.place != place:
        why = f'{mark.place} records them'
    elif (output / 'metadata.sqlite').is_file():
        why = (
            'they are recorded in metadata.sqlite there; copy the records with: thawline metadata '
            'migrate'
        )
    else:
        why = 'their records are gone'
    raise ConfigError(
        f'{place} does not know the runs in {output}: {why}; or give the project another output'
    )


def has_runs(output: pathlib.Path) -> bool:
    """Whether a folder holds artifacts, or records of runs in a file."""
    artifacts = output / 'artifacts'
    return (output / 'metadata.sqlite').is_file() or (
        artifacts.is_dir() and any(artifacts.iterdir())
    )


def check_sqlite(output: pathlib.Path) -> None:
    """Whether a folder's runs may be recorded in its own file.

    Raises:
        ConfigError: a database records them.
    """
    mark = mark_of(output)
    if mark is not None:
        raise ConfigError(
            f'the runs in {output} are recorded in {mark.place}, and the configuration names no '
            'database; put metadata.postgresql back, or give the project another output'
        )


@contextlib.contextmanager
def transaction(session: Session) -> Iterator[None]:
    """All or nothing of the block."""
    session.run('begin')
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):  # the connection may be what broke
            session.run('rollback')
        raise
    session.run('commit')
