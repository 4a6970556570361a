"""A folder of versions on this machine: what appears, what goes, and what is never touched."""

from __future__ import annotations

import errno
import io
import os
import pathlib
from typing import BinaryIO

import pytest

from thawline.components.pusher import local_destination
from thawline.components.pusher.local_destination import INCOMING, LocalDestination
from thawline.components.shared import model_fingerprint
from thawline.components.shared.errors import UserError
from thawline.components.shared.model_fingerprint import LocalFiles

CONTENTS = {'saved_model.pb': b'a graph', 'assets/deep/down': b'12', 'variables/weights': b'w' * 99}


class Objects:
    """Files as a bucket has them: names without folders."""

    def files(self) -> list[str]:
        return sorted(CONTENTS)

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(CONTENTS[name])


@pytest.fixture
def model(tmp_path: pathlib.Path) -> LocalFiles:
    for name, content in CONTENTS.items():
        file = tmp_path / 'model' / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return LocalFiles(tmp_path / 'model')


@pytest.fixture
def place(tmp_path: pathlib.Path) -> LocalDestination:
    return LocalDestination(tmp_path / 'not' / 'yet' / 'there')


def prepare(place: LocalDestination, model: LocalFiles, version: int) -> str:
    incoming = f'{INCOMING}{version}'
    place.prepare(model, version, incoming, model_fingerprint.ignore_progress)
    return incoming


def test_version_is_prepared_unseen_and_appears_whole(place, model, monkeypatch) -> None:
    flushed: list[str] = []
    sizes: list[int] = []
    original = local_destination._flush_folder
    monkeypatch.setattr(
        local_destination,
        '_flush_folder',
        lambda folder: flushed.append(os.path.relpath(folder, place.folder)) or original(folder),
    )
    incoming = f'{INCOMING}7'
    written = place.prepare(model, 7, incoming, sizes.append)
    expected = model_fingerprint.fingerprint(model)
    assert written == expected == model_fingerprint.fingerprint(place.prepared(7, incoming))
    assert sum(sizes) == sum(map(len, CONTENTS.values()))
    # Folders reach the disk after what is in them, or a power cut could leave a version with gaps.
    assert flushed[-1] == incoming and flushed.index(f'{incoming}/assets/deep') < flushed.index(
        f'{incoming}/assets'
    )
    assert place.versions() == []
    place.finish(model, 7, incoming)
    assert flushed[-1] == '.'
    assert os.listdir(place.folder) == ['7'] and place.versions() == [7]
    assert model_fingerprint.fingerprint(place.source(7)) == expected


def test_objects_of_a_bucket_get_the_folders_of_their_names(place, model) -> None:
    written = place.prepare(Objects(), 1, f'{INCOMING}1', model_fingerprint.ignore_progress)
    assert written == model_fingerprint.fingerprint(model)


def test_only_what_was_prepared_is_discarded(place, model) -> None:
    incoming = prepare(place, model, 7)
    place.finish(model, 7, incoming)
    assert not place.discard(7, incoming)  # it became a version
    for name in ('', '7', f'{INCOMING}8'):
        assert not place.discard(7, name)
    assert place.versions() == [7]
    incoming = prepare(place, model, 8)
    assert place.discard(8, incoming)
    assert os.listdir(place.folder) == ['7']


def test_removed_version_is_gone_at_once_and_what_a_kill_left_of_it_later(
    place, model, monkeypatch
) -> None:
    for version in (7, 8):
        place.finish(model, version, prepare(place, model, version))
    place.remove(7, 'abc')
    assert os.listdir(place.folder) == ['8']

    def killed(folder: pathlib.Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(local_destination.shutil, 'rmtree', killed)
        place.remove(8, 'abc')
    assert place.versions() == []
    (hidden,) = os.listdir(place.folder)
    assert hidden.startswith('.') and '8' in hidden
    place.sweep(7, 'abc')
    place.sweep(8, 'other')
    assert os.listdir(place.folder) == [hidden]
    place.sweep(8, 'abc')
    assert os.listdir(place.folder) == []


def test_errors_name_what_was_tried_and_the_place(place, model) -> None:
    place.finish(model, 7, prepare(place, model, 7))
    with pytest.raises(UserError, match=f'copied to {place.folder}/{INCOMING}7: .*exists'):
        (place.folder / f'{INCOMING}7').mkdir()
        prepare(place, model, 7)
    incoming = prepare(place, model, 9)
    with pytest.raises(UserError, match=f'moved to {place.folder}/7: .*not empty'):
        place.finish(model, 7, incoming)
    with pytest.raises(UserError, match=f'removed from {place.folder}: No such file') as error:
        place.remove(6, 'abc')
    assert 'prune' not in str(error.value)


def test_a_full_disk_is_said_with_a_way_out(place, model, monkeypatch) -> None:
    def full(source: pathlib.Path, target: pathlib.Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    incoming = prepare(place, model, 7)
    monkeypatch.setattr(local_destination.os, 'rename', full)
    with pytest.raises(UserError, match='free disk space, for example with: thawline prune'):
        place.finish(model, 7, incoming)
