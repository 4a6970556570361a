"""What there is to predict, from names alone."""

from __future__ import annotations

import os
import pathlib

import pytest

from tests.components.ingestion import memory_files
from thawline.components.bulk_prediction import listing
from thawline.components.ingestion.params import Columns
from thawline.components.shared.errors import ConfigError, DataError

assert memory_files.MemoryFiles  # Beam finds it by its scheme


def of(*sources: str, **columns: str) -> listing.UnlabelledListing:
    return listing.of_sources(sources, Columns(**columns))


def touch(root: pathlib.Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'x')


def names(found: listing.UnlabelledListing) -> list[str]:
    return [item.name for item in found.items]


@pytest.fixture(autouse=True)
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_are_as_one_would_open_them(here: pathlib.Path) -> None:
    touch(here, 'in/b.jpg', 'in/deep/a.PNG', 'in/c', 'in/.hidden.jpg', 'in/x.txt', 'in/y.heic')
    for source in ('in', 'in/', './in', str(here / 'in')):
        found = of(source)
        assert all(os.path.samefile(item.name, item.path) for item in found.items)
        shown = [os.path.relpath(item.path, here) for item in found.items]
        assert shown == ['in/b.jpg', 'in/c', 'in/deep/a.PNG']
        assert {(os.path.relpath(r.path, here), r.reason) for r in found.rejected} == {
            ('in/x.txt', 'not an image'), ('in/y.heic', 'unsupported format'),
        }  # fmt: skip
    assert names(of('in')) == ['in/b.jpg', 'in/c', 'in/deep/a.PNG']


def test_several_sources_and_single_images(here: pathlib.Path) -> None:
    touch(here, 'one/a.jpg', 'two/a.jpg', 'c.jpg')
    assert names(of('two', 'c.jpg', 'one')) == ['c.jpg', 'one/a.jpg', 'two/a.jpg']
    assert names(of('two', 'two/a.jpg')) == ['two/a.jpg']


def test_list_needs_neither_labels_nor_known_splits(here: pathlib.Path) -> None:
    touch(here, 'data/img/a.jpg', 'data/img/b.jpg', 'c.jpg')
    (here / 'data/list.csv').write_text(
        'file;split;group\nimg/a.jpg;none;1\nimg/b.jpg;;\nimg/a.jpg;other;2\nimg/no.jpg;;\n'
        '../c.jpg;;\n;;\nonly one cell\n',
        'utf-8',
    )
    found = of('data/list.csv', path='file', confidence='agreed', label='no such column')
    assert names(found) == ['data/img/a.jpg', 'data/img/b.jpg']
    assert {(r.path, r.reason) for r in found.rejected} == {
        ('data/img/no.jpg', 'missing file'),
        ('data/../c.jpg', 'path outside the root'),
        ('data/list.csv:8', 'malformed row'),
    }
    assert names(of('data/list.csv')) == names(found)  # a usual name, as ingestion guesses it
    (here / 'data/list.csv').write_text('where;split;group\nimg/a.jpg;none;1\n', 'utf-8')
    with pytest.raises(DataError, match="no column 'path'; it has 'where', 'split', 'group'"):
        of('data/list.csv')


def test_records_by_name_folder_and_pattern(here: pathlib.Path) -> None:
    touch(here, 'r/x.tfrecord-00000-of-00002', 'r/x.tfrecord-00001-of-00002')
    both = ['r/x.tfrecord-00000-of-00002', 'r/x.tfrecord-00001-of-00002']
    for source in ('r', 'r/x.tfrecord*', './r'):
        found = of(source)
        assert [os.path.normpath(item.name) for item in found.records] == both
        assert not found.items
    assert [item.name for item in of(both[1]).records] == both[1:]


def test_patterns_and_brackets(here: pathlib.Path) -> None:
    touch(here, 'in/a[1].jpg', 'in/b.jpg', 'in/c.png', 'r/x.tfrecord')
    assert names(of('in/a[1].jpg')) == ['in/a[1].jpg']
    assert names(of('in/*.jpg')) == ['in/a[1].jpg', 'in/b.jpg']
    found = of('in/[bc].*', 'r/x*')
    assert (names(found), [item.name for item in found.records]) == (
        ['in/b.jpg', 'in/c.png'], ['r/x.tfrecord'],
    )  # fmt: skip
    with pytest.raises(DataError, match='no file matches in/z'):
        of('in/z*')


def test_what_is_about_to_be_written_is_left_out(here: pathlib.Path) -> None:
    touch(here, 'in/a.jpg', 'in/out.csv', 'in/out.quarantine.csv')
    out = {str(here / 'in/out.csv'), str(here / 'in/out.quarantine.csv')}
    found = listing.of_sources(['in'], Columns(), out)
    assert (names(found), found.rejected) == (['in/a.jpg'], ())


def test_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        memory_files,
        'FILES',
        {
            'thawmem://b/in/a.jpg': b'1',
            'thawmem://b/in/d/b.png': b'2',
            'thawmem://b/list.csv': b'path\nin/a.jpg\nin/z.jpg\n',
        },
    )
    assert names(of('thawmem://b/in')) == ['thawmem://b/in/a.jpg', 'thawmem://b/in/d/b.png']
    found = of('thawmem://b/list.csv')
    assert names(found) == ['thawmem://b/in/a.jpg']
    assert [r.path for r in found.rejected] == ['thawmem://b/in/z.jpg']


def test_nothing_there(here: pathlib.Path) -> None:
    touch(here, 'in/readme.txt', 'in2/a.jpg')
    (here / 'empty').mkdir()
    with pytest.raises(DataError, match='no images in in: 1 x not an image'):
        of('in')
    with pytest.raises(DataError, match='no images in empty. Images are recognised'):
        of('empty')
    with pytest.raises(DataError, match='Did you mean .*in2'):
        of('in3')
    with pytest.raises(DataError, match='list.csv does not exist'):
        of('list.csv')
    with pytest.raises(ConfigError, match="Received: ''"):
        of('')
    with pytest.raises(ConfigError, match='name at least one'):
        of()
