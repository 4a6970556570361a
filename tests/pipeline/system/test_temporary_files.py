"""Temporary files go with their process, however that ends."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import tempfile

import pytest

from thawline.pipeline.system import temporary_files
from thawline.pipeline.system.process_identity import ProcessIdentity


@pytest.fixture(autouse=True)
def root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    monkeypatch.setattr(tempfile, 'tempdir', None)
    return tmp_path


def test_a_folder_for_the_time_of_the_block(root: pathlib.Path) -> None:
    with temporary_files.in_own_folder():
        own = pathlib.Path(tempfile.gettempdir())
        assert own.parent == root and os.environ['TMPDIR'] == str(own)
        pathlib.Path(tempfile.mkdtemp(), 'x').touch()
        assert temporary_files.remove_orphaned() == 0
        assert own.is_dir()
    assert list(root.iterdir()) == []
    assert tempfile.gettempdir() == os.environ['TMPDIR'] == str(root)


def test_only_what_dead_processes_left_is_removed(root: pathlib.Path) -> None:
    own = ProcessIdentity.own()
    texts = {
        'dead': dataclasses.replace(own, started=own.started - 1).text,
        'alive': own.text,
        'elsewhere': dataclasses.replace(own, host='elsewhere').text,
        'unreadable': 'x',
    }
    for name, text in texts.items():
        (root / f'thawline-{name}' / 'inner').mkdir(parents=True)
        (root / f'thawline-{name}' / 'owner.json').write_text(text)
    (root / 'thawline-without').mkdir()
    (root / 'other').mkdir()
    (root / 'other' / 'owner.json').write_text(texts['dead'])
    (root / 'thawline-link').symlink_to(root / 'other')
    with temporary_files.in_own_folder():
        assert temporary_files.remove_orphaned() == 1
    assert {path.name for path in root.iterdir()} == {
        'thawline-alive', 'thawline-elsewhere', 'thawline-unreadable', 'thawline-without', 'other',
        'thawline-link',
    }  # fmt: skip
