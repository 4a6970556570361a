"""A database that cannot be used is one sentence with its way out, and never a new one."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
import subprocess
import time
from collections.abc import Callable

import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from tests import fork_server
from thawline.components.shared import errors, metadata_store
from thawline.components.shared.errors import Busy, ConfigError, NotFound, Unavailable
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.stores import opening, sqlite_file


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Project:
    """With a database as a run leaves it, and its artifacts."""
    (tmp_path / 'thawline.yaml').write_text('name: x\ndata: {source: images}\n')
    project = loading.load_project(tmp_path)
    (project.artifacts / 'ImageExampleGen' / 'examples' / '1').mkdir(parents=True)
    store = metadata_store.open_sqlite(project.metadata)
    store.put_artifact_type(pb.ArtifactType(name='Model'))
    return project


def overwrite(content: bytes) -> Callable[[pathlib.Path], object]:
    return lambda path: path.write_bytes(content)


def garble(path: pathlib.Path) -> None:
    """Damages a page that is not read when the file is opened."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = os.urandom(4096)
    path.write_bytes(data)


DAMAGES: dict[str, tuple[Callable[[pathlib.Path], object], type[Exception]]] = {
    'garbage': (overwrite(os.urandom(100_000)), ConfigError),
    'truncated': (lambda path: os.truncate(path, 20_000), ConfigError),
    'half': (lambda path: os.truncate(path, path.stat().st_size // 2), ConfigError),
    'empty': (overwrite(b''), NotFound),
    'missing': (pathlib.Path.unlink, NotFound),
    'a page': (garble, ConfigError),
}


@pytest.mark.parametrize('name', DAMAGES)
def test_damage_is_refused_before_a_run_and_named(project: Project, name: str) -> None:
    damage, kind = DAMAGES[name]
    opening.prepare_run(project)
    damage(project.metadata)
    with pytest.raises(kind) as caught:
        opening.prepare_run(project)
    message = str(caught.value)
    assert str(project.metadata) in message and 'backup' in message
    assert 'SELECT' not in message and 'CREATE' not in message
    if kind is NotFound:
        assert not project.metadata.exists() or project.metadata.stat().st_size == 0


def test_before_the_first_run_there_is_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'thawline.yaml').write_text('name: x\ndata: {source: images}\n')
    project = loading.load_project(tmp_path)
    (project.artifacts / 'ImageExampleGen').mkdir(parents=True)
    (project.artifacts / 'ImageExampleGen' / 'source_digests.json').write_text('{}')
    opening.prepare_run(project)
    assert opening.find_store(project) is None
    assert not project.metadata.exists()


@pytest.mark.parametrize('name', ['garbage', 'missing'])
def test_commands_end_with_one_sentence(project: Project, name: str) -> None:
    DAMAGES[name][0](project.metadata)
    for command in ('runs', 'models', 'report'):
        done = subprocess.run(
            [*fork_server.command(), command, str(project.home)],
            env=fork_server.environment(), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith('error: ') and done.stderr.count('\n') == 1
        assert str(project.metadata) in done.stderr


def test_a_locked_file_is_busy_in_good_time(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, '_WAIT', 0.2)
    with contextlib.closing(sqlite3.connect(project.metadata)) as other:
        other.execute('BEGIN EXCLUSIVE')
        began = time.monotonic()
        for write in (False, True):
            with pytest.raises(Busy, match='locked'):
                sqlite_file.check(project, write)
        assert time.monotonic() - began < 5
    sqlite_file.check(project, write=True)


def test_what_ml_metadata_says_in_sql_is_worded(project: Project) -> None:
    store = metadata_store.open_sqlite(project.metadata)
    project.metadata.write_bytes(os.urandom(100_000))
    with pytest.raises((RuntimeError, mlmd.errors.StatusError)) as caught:
        for _ in range(3):
            store.get_artifact_types()
            store = mlmd.MetadataStore(store_config(project))
    worded = errors.user_error(caught.value)
    assert isinstance(worded, ConfigError)
    assert 'SELECT' not in str(worded) and 'CREATE' not in str(worded)
    text = 'Error when executing query: {} query:  INSERT INTO `Type`( `name`) VALUES(1)'
    for reason, kind in {
        'database or disk is full': Unavailable,
        'disk I/O error': Unavailable,
        'database is locked': Busy,
        'database disk image is malformed': ConfigError,
    }.items():
        worded = errors.user_error(RuntimeError(text.format(reason)))
        assert isinstance(worded, kind) and reason in str(worded) and 'INSERT' not in str(worded)
    assert errors.user_error(RuntimeError('query: none')) is None


def store_config(project: Project) -> pb.ConnectionConfig:
    return opening.connection_config(project)
