"""What the files of a model are, and how they differ from what they were."""

from __future__ import annotations

import hashlib
import os
import pathlib

import pytest

from thawline.components.shared import model_fingerprint
from thawline.components.shared.errors import NotFound, UserError
from thawline.components.shared.model_fingerprint import FileChanges, Fingerprint, LocalFiles


def model(folder: pathlib.Path, **texts: str) -> Fingerprint:
    """Of files with these texts, in a folder of its own."""
    for name, text in {'saved_model.pb': 'graph', **texts}.items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text, 'utf-8')
    return model_fingerprint.fingerprint(LocalFiles(folder))


def test_digest_is_the_one_that_earlier_promotions_recorded(tmp_path: pathlib.Path) -> None:
    present = model(tmp_path / 'm', b='two', a='')
    of = {name: hashlib.sha256(text).hexdigest() for name, text in
          (('a', b''), ('b', b'two'), ('saved_model.pb', b'graph'))}  # fmt: skip
    lines = f'a\0{0}\0{of["a"]}\nb\0{3}\0{of["b"]}\nsaved_model.pb\0{5}\0{of["saved_model.pb"]}\n'
    assert present.digest == hashlib.sha256(lines.encode()).hexdigest()
    assert present.size == 8


def test_record_is_read_back(tmp_path: pathlib.Path) -> None:
    present = model(tmp_path / 'm', more='é')
    present.write(tmp_path)
    assert Fingerprint.read(tmp_path) == present


def test_digest_is_of_names_and_contents_in_any_order(tmp_path: pathlib.Path) -> None:
    first = model(tmp_path / 'a', x='1', y='2')
    assert model(tmp_path / 'b', y='2', x='1').digest == first.digest
    others = [{'x': '2', 'y': '1'}, {'x': '1', 'z': '2'}, {'x': '1'}, {'x': '1', 'y': '2', 'z': ''}]
    digests = {model(tmp_path / str(n), **texts).digest for n, texts in enumerate(others)}
    assert len(digests) == 4 and first.digest not in digests


def test_changes_by_kind(tmp_path: pathlib.Path) -> None:
    before = model(tmp_path / 'a', same='1', size='1', byte='1', gone='1')
    now = model(tmp_path / 'b', same='1', size='12', byte='2', **{'new\udcff': ''})
    changes = FileChanges.between(before, now)
    assert changes == FileChanges(('byte', 'size'), ('gone',), ('new\udcff',))
    assert str(changes) == 'changed: byte, size; missing: gone; added: new\\udcff'
    assert str(FileChanges.between(before, before)) == ''


def test_many_changes_are_counted(tmp_path: pathlib.Path) -> None:
    now = model(tmp_path / 'b', **{f'f{number}': '' for number in range(7)})
    changes = FileChanges.between(model(tmp_path / 'a'), now)
    assert str(changes) == 'added: f0, f1, f2, f3, f4 and 2 more'


def test_what_is_no_model_and_what_cannot_be_read(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NotFound, match='has no saved_model.pb'):
        model_fingerprint.fingerprint(LocalFiles(tmp_path))
    assert model_fingerprint.read(LocalFiles(tmp_path / 'nowhere')).files == {}
    os.mkfifo(tmp_path / 'saved_model.pb')  # nobody writes: its reader would wait for ever
    with pytest.raises(UserError, match='saved_model.pb is not a file'):
        model_fingerprint.fingerprint(LocalFiles(tmp_path))
