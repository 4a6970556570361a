"""After a project was moved or copied, its records are those of the folder that it is in."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import sqlite3
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import metadata_store
from thawline.components.shared.errors import Busy, ConfigError
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.stores import relocation
from thawline.pipeline.system import file_locks


def at(home: pathlib.Path) -> Project:
    return loading.load_project(home)


@pytest.fixture
def old(tmp_path: pathlib.Path) -> Project:
    """A project with records as TFX and the registry make them."""
    home = tmp_path / 'größe' / 'p'
    home.mkdir(parents=True)
    (home / 'thawline.yaml').write_text(
        'name: x\ndata: {source: images}\nserving: {production: prod}\n', 'utf-8'
    )
    project = at(home)
    folder = project.artifacts / 'Trainer' / 'model' / '8'
    folder.mkdir(parents=True)
    (folder / 'weights').write_text('w')
    store = metadata_store.open_sqlite(project.metadata)
    text = {'type': pb.STRING}
    model = store.put_artifact_type(
        pb.ArtifactType(name='Model', properties={'current_model': text['type']})
    )
    trainer = store.put_execution_type(pb.ExecutionType(name='Trainer'))
    artifacts = [
        pb.Artifact(type_id=model, uri=str(folder)),
        pb.Artifact(type_id=model, uri=f'{project.production}/1'),
        pb.Artifact(type_id=model, uri='/elsewhere/prod/1'),
    ]
    artifacts[0].properties['current_model'].string_value = str(folder)
    store.put_artifacts(artifacts)
    execution = pb.Execution(type_id=trainer)
    execution.custom_properties['spec'].string_value = json.dumps(
        {'source': f'{home}/images', 'root': '/data/images'}
    )
    store.put_executions([execution])
    (project.output / 'reports').mkdir()
    (project.output / 'reports' / 'r.html').symlink_to(folder / 'weights')
    return project


def records(project: Project) -> dict[str, Any]:
    store = metadata_store.open_sqlite(project.metadata)
    (execution,) = store.get_executions()
    return {
        'uris': [artifact.uri for artifact in store.get_artifacts()],
        'model': store.get_artifacts()[0].properties['current_model'].string_value,
        'spec': json.loads(execution.custom_properties['spec'].string_value),
        'times': [artifact.last_update_time_since_epoch for artifact in store.get_artifacts()],
    }


@pytest.mark.parametrize('how', ['move', 'copy'])
def test_records_follow(old: Project, tmp_path: pathlib.Path, how: str) -> None:
    before, home = records(old), tmp_path / 'new place'
    assert relocation.relocate(old) is None, 'nothing to do'
    if how == 'move':
        shutil.move(old.home, home)
    else:
        shutil.copytree(old.home, home, symlinks=True)
    new = at(home)
    line = relocation.relocate(new)
    assert line is not None and str(old.output) in line and str(new.output) in line
    folder = f'{new.artifacts}/Trainer/model/8'
    assert records(new) == {
        'uris': [folder, f'{home}/prod/1', '/elsewhere/prod/1'],
        'model': folder,
        'spec': {'source': f'{home}/images', 'root': '/data/images'},
        'times': before['times'],
    }
    assert os.readlink(new.output / 'reports' / 'r.html') == '../artifacts/Trainer/model/8/weights'
    assert relocation.relocate(new) is None, 'once'
    with sqlite3.connect(new.output / relocation.BACKUP) as backup:
        rows = backup.execute('select uri from Artifact order by id')
        assert [uri for (uri,) in rows] == before['uris']
    if how == 'copy':
        assert records(old) == before
        assert not (old.output / relocation.BACKUP).exists()


def test_a_link_to_the_project_is_the_same_place(old: Project, tmp_path: pathlib.Path) -> None:
    link = tmp_path / 'link'
    link.symlink_to(old.home)
    assert relocation.relocate(at(link)) is None


def test_some_records_of_before_a_move_by_hand(old: Project, tmp_path: pathlib.Path) -> None:
    """Earlier versions went on after a move, with records of both places."""
    new = at(pathlib.Path(shutil.move(old.home, tmp_path / 'new')))
    store = metadata_store.open_sqlite(new.metadata)
    here = str(new.artifacts / 'Trainer' / 'model' / '9')
    store.put_artifacts([pb.Artifact(type_id=store.get_artifacts()[0].type_id, uri=here)])
    assert relocation.relocate(new)
    assert {str(new.artifacts / 'Trainer' / 'model' / n) for n in ('8', '9')} < {
        *records(new)['uris']
    }


@pytest.mark.parametrize('lock', ['run_lock', 'registry_lock'])
def test_not_while_a_command_is_at_work_there(
    old: Project, tmp_path: pathlib.Path, lock: str
) -> None:
    new = at(pathlib.Path(shutil.move(old.home, tmp_path / 'new')))
    before = records(new)
    with (
        file_locks.lock(getattr(new, lock), 'process 7', shared=lock == 'run_lock'),
        pytest.raises(Busy, match='process 7'),
    ):
        relocation.relocate(new)
    assert records(new) == before


def test_all_or_nothing(
    old: Project, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = at(pathlib.Path(shutil.move(old.home, tmp_path / 'new')))
    before = records(new)
    monkeypatch.setattr(relocation, '_TEXTS', (*relocation._TEXTS, ('NoTable', 'uri')))
    with pytest.raises(ConfigError):
        relocation.relocate(new)
    assert records(new) == before


def test_nothing_to_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'thawline.yaml').write_text('name: x\ndata: {source: images}\n')
    project = at(tmp_path)
    assert relocation.relocate(project) is None
    project.output.mkdir(parents=True)
    project.metadata.write_bytes(b'no database')
    assert relocation.relocate(project) is None, 'what opens it says more'
    assert sorted(path.name for path in project.output.iterdir()) == ['metadata.sqlite']
