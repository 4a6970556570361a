"""Locks between processes: alone, shared, waited for, and freed by a kill."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import time
from typing import Any

import pytest

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.system import file_locks

FORK = multiprocessing.get_context('fork')


def test_the_second_is_told_who_was_first(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'new' / 'lock'
    with file_locks.lock(path, 'process 1'):
        with (
            pytest.raises(file_locks.LockTaken, match='process 1'),
            file_locks.lock(path, 'process 2'),
        ):
            raise AssertionError('held twice')
        with pytest.raises(file_locks.LockTaken), file_locks.lock(path, 'process 2', shared=True):
            raise AssertionError('shared what is held alone')
    with file_locks.lock(path, 'process 2'):
        assert path.read_text('utf-8') == 'process 2'


def test_shared_ones_keep_others_out_together(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'lock'
    with file_locks.lock(path, 'a', shared=True):
        with file_locks.lock(path, 'b', shared=True):
            pass
        with pytest.raises(file_locks.LockTaken, match='b'), file_locks.lock(path, 'c'):
            raise AssertionError('held alone what is shared')
    with file_locks.lock(path, 'c'):
        pass


def test_it_is_free_after_an_error_and_its_file_gone(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'lock'
    with pytest.raises(ValueError, match='inside'), file_locks.lock(path, 'a', remove=True):
        raise ValueError('inside')
    assert not path.exists()
    with file_locks.lock(path, 'a', remove=True):
        assert path.exists()


def test_a_folder_that_cannot_be_written_is_no_crash(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'file').touch()
    with (
        pytest.raises(ConfigError, match='lock cannot be written'),
        file_locks.lock(tmp_path / 'file' / 'lock', 'a'),
    ):
        raise AssertionError('held without a file')


def _die_with(path: pathlib.Path, ready: Any) -> None:
    with file_locks.lock(path, 'the dead'):
        ready.release()
        time.sleep(60)


def test_a_kill_frees_it(tmp_path: pathlib.Path) -> None:
    path, ready = tmp_path / 'lock', FORK.Semaphore(0)
    child = FORK.Process(target=_die_with, args=[path, ready])
    child.start()
    assert ready.acquire(timeout=60)
    with pytest.raises(file_locks.LockTaken, match='the dead'), file_locks.lock(path, 'me'):
        raise AssertionError('held twice')
    child.kill()
    child.join()
    with file_locks.lock(path, 'me'):
        assert path.read_text('utf-8') == 'me'


def _count(path: pathlib.Path, counter: pathlib.Path, times: int) -> None:
    for _ in range(times):
        with file_locks.lock(path, str(os.getpid()), wait=True, remove=True):
            number = int(counter.read_text())
            time.sleep(0.001)  # for others to come in between, if they can
            counter.write_text(str(number + 1))


def test_those_who_wait_come_one_after_the_other(tmp_path: pathlib.Path) -> None:
    """Also where each removes the file, so that some lock one that is no longer there."""
    path, counter = tmp_path / 'lock', tmp_path / 'counter'
    counter.write_text('0')
    counting = [FORK.Process(target=_count, args=[path, counter, 50]) for _ in range(4)]
    for one in counting:
        one.start()
    for one in counting:
        one.join(120)
    assert [one.exitcode for one in counting] == [0] * 4
    assert counter.read_text() == '200'
    assert not path.exists()
