"""What servers that watch staging load after a push, whatever was in the folder before."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import resource
import shutil
import signal
import time

import pytest

from thawline.components.pusher import local_destination, staging
from thawline.components.pusher.staging import Push
from thawline.components.shared.errors import UserError
from thawline.components.shared.version_folders import complete_versions

NOW = 1_795_000_000


class Folder:
    """Models by name, the folder that they are pushed to, and a clock."""

    def __init__(self, home: pathlib.Path) -> None:
        self._home, self.path, self.now = home, home / 'serving' / 'staging', NOW

    def model(self, name: str) -> pathlib.Path:
        """A model whose only difference from others is its weights, of one size."""
        folder = self._home / name
        if not folder.exists():
            (folder / 'variables').mkdir(parents=True)
            (folder / 'assets.extra').mkdir()
            (folder / 'saved_model.pb').write_bytes(b'a graph')
            (folder / 'variables' / 'weights').write_text(name * 5_000, 'utf-8')
        return folder

    def push(self, name: str, above: int = 0) -> Push:
        staging.sweep(self.path)
        return staging.push(self.model(name), self.path, above, lambda: self.now + 0.9)

    @property
    def served(self) -> tuple[int, str]:
        """The highest version and the name of the model in it."""
        version, path = next(iter(complete_versions(self.path).items()))
        return version, (path / 'variables' / 'weights').read_text('utf-8')[0]

    @property
    def names(self) -> list[str]:
        return sorted(os.listdir(self.path))


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> Folder:
    return Folder(tmp_path)


def test_model_that_comes_again_is_pushed_over_the_one_between(folder: Folder) -> None:
    pushes = [folder.push(name) for name in 'aba']
    assert [push.version for push in pushes] == [NOW, NOW + 1, NOW + 2]
    assert not any(push.already_there for push in pushes)
    assert folder.served == (NOW + 2, 'a')


def test_model_that_is_served_is_not_pushed_again(folder: Folder) -> None:
    first = folder.push('a')
    folder.now += 60
    assert folder.push('a') == Push(first.version, already_there=True)
    assert folder.names == [str(NOW)]


def test_copy_is_complete_with_its_empty_folders(folder: Folder) -> None:
    version = folder.path / str(folder.push('a').version)
    assert sorted(path.relative_to(version).as_posix() for path in version.rglob('*')) == [
        'assets.extra', 'saved_model.pb', 'variables', 'variables/weights',
    ]  # fmt: skip
    assert not (version / 'variables/weights').samefile(folder.model('a') / 'variables/weights')


def test_emptied_folder_gets_the_model_again_under_a_number_never_used(folder: Folder) -> None:
    first = folder.push('a')
    shutil.rmtree(folder.path)
    assert folder.push('a', above=first.version) == Push(NOW + 1, already_there=False)
    assert folder.served == (NOW + 1, 'a')


def test_removed_version_is_made_again(folder: Folder) -> None:
    folder.push('a')
    shutil.rmtree(folder.path / str(folder.push('b').version))
    assert folder.push('b', above=NOW + 1) == Push(NOW + 2, already_there=False)
    shutil.rmtree(folder.path / str(NOW + 2))
    assert folder.push('a', above=NOW + 2) == Push(NOW, already_there=True)


def test_versions_grow_also_when_the_clock_goes_back(folder: Folder) -> None:
    folder.push('a')
    folder.now -= 86_400
    assert folder.push('b').version == NOW + 1
    assert folder.served == (NOW + 1, 'b')
    folder.now += 2 * 86_400
    assert folder.push('a').version == NOW + 86_400


def test_changed_version_is_not_taken_for_the_model(folder: Folder) -> None:
    version = folder.push('a').version
    (folder.path / str(version) / 'variables' / 'weights').write_text('b' * 5_000, 'utf-8')
    assert folder.push('a') == Push(NOW + 1, already_there=False)


@pytest.mark.parametrize('name', [str(NOW + 7), f'0{NOW + 7}'])
def test_other_folders_that_servers_take_for_versions_lie_below(folder: Folder, name: str) -> None:
    """TFX's own Pusher, killed, leaves a number without a model; a person may add any name."""
    folder.push('a')
    (folder.path / name).mkdir()
    assert folder.push('a') == Push(NOW + 8, already_there=False)
    assert name in folder.names


def killed_push(folder: Folder, renamed: bool) -> None:
    """Pushes in a process that is killed at the rename, before or after it."""

    def push() -> None:
        rename = os.rename

        def killing(source: pathlib.Path, target: pathlib.Path) -> None:
            if renamed:
                rename(source, target)
            os.kill(os.getpid(), signal.SIGKILL)

        os.rename = killing  # type: ignore[assignment]
        folder.push('a')

    process = multiprocessing.get_context('fork').Process(target=push)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def test_push_killed_before_its_rename_leaves_no_version_and_goes(folder: Folder) -> None:
    killed_push(folder, renamed=False)
    (remnant,) = folder.names
    assert remnant.startswith(local_destination.INCOMING)
    assert (folder.path / remnant / 'saved_model.pb').is_file(), 'a whole model, but no version'
    assert complete_versions(folder.path) == {}
    assert folder.push('a') == Push(NOW, already_there=False)
    assert folder.names == [str(NOW)]


def test_push_killed_after_its_rename_is_adopted(folder: Folder) -> None:
    killed_push(folder, renamed=True)
    assert folder.names == [str(NOW)]
    assert folder.push('a') == Push(NOW, already_there=True)


def test_what_a_promotion_prepares_is_left_alone(folder: Folder) -> None:
    preparing = folder.path / f'{local_destination.INCOMING}{NOW}-0a1b2c3d'
    preparing.mkdir(parents=True)
    folder.push('a')
    assert preparing.is_dir()


def test_push_that_fails_leaves_nothing(folder: Folder) -> None:
    folder.push('a')
    folder.model('b')

    def push(failed: multiprocessing.connection.Connection) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))  # as a disk that is full
        try:
            folder.push('b')
        except UserError as error:
            failed.send(str(error))

    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context('fork').Process(target=push, args=[theirs])
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert str(folder.path) in ours.recv()
    assert folder.names == [str(NOW)] and folder.served == (NOW, 'a')


def test_model_that_changes_while_it_is_copied_is_not_pushed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = folder.model('a')

    def change(size: int) -> None:
        (model / 'variables' / 'weights').write_text('c' * 5_000, 'utf-8')

    monkeypatch.setattr(staging.model_fingerprint, 'ignore_progress', change)
    with pytest.raises(UserError, match=f'{model} changed while .* copied to {folder.path}'):
        folder.push('a')
    assert folder.names == []


def test_versions_are_numbered_by_the_clock_and_a_folder_begins_empty(folder: Folder) -> None:
    before = int(time.time())
    version = staging.push(folder.model('a'), folder.path).version
    assert before <= version <= time.time()
    (folder.path / 'no-version').mkdir()
    assert staging.push(folder.model('b'), folder.path, above=0, now=lambda: 0.0) == Push(
        version + 1, already_there=False
    )
    assert staging.push(folder.model('a'), folder.path / 'new', now=lambda: 0.0).version == 1
