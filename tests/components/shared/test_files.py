from __future__ import annotations

import os
import pathlib

import pytest

from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError


def test_a_file_is_replaced_by_a_new_one(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'a' / 'b.txt'
    files.write_text(path, 'one')
    os.link(path, tmp_path / 'linked')
    files.write_text(path, 'two ä')
    assert path.read_text('utf-8') == 'two ä'
    assert (tmp_path / 'linked').read_text('utf-8') == 'one'
    assert list(path.parent.iterdir()) == [path]


def test_after_an_error_all_is_as_it_was(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'a.txt'
    files.write_text(path, 'one')
    with pytest.raises(ValueError, match='inside'), files.replacement(path) as draft:
        draft.write_text('half')
        raise ValueError('inside')
    assert path.read_text('utf-8') == 'one'
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match='file/x/y cannot be written: Not a directory'):
        files.write_text(tmp_path / 'file' / 'x' / 'y', '')
    with pytest.raises(ConfigError, match='cannot be written: Is a directory'):
        files.write_text(tmp_path, '')


def test_what_is_no_file_is_not_replaced(tmp_path: pathlib.Path) -> None:
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    (tmp_path / 'link').symlink_to(pipe)
    for path in (pipe, tmp_path / 'link'):
        with pytest.raises(ConfigError, match='not a regular file'):
            files.write_text(path, 'x')
    assert pipe.is_fifo() and sorted(p.name for p in tmp_path.iterdir()) == ['link', 'pipe']
