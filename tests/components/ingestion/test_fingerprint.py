"""What changes the fingerprint of a source, and what leaves it, on real files."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Callable

import pytest

from tests.components.ingestion.images import class_folders
from thawline.components.ingestion import fingerprint as fingerprint_lib
from thawline.components.ingestion.fingerprint import ContentDigests, fingerprint, state_of
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.ingestion.storage import Entry

A, B = 'a/000.png', 'b/000.png'


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests are kept at once, without a pause for coarse clocks."""
    monkeypatch.setattr(fingerprint_lib, 'SETTLED', -1.0)


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two classes; the first files of both have the same size and time."""
    root = class_folders(tmp_path / 'set', {'a': 4, 'b': 4})
    for name, content in ((A, b'one'), (B, b'two')):
        (root / name).write_bytes(content)
        os.utime(root / name, ns=(10**18, 10**18))
    return root


@pytest.fixture
def digest(root: pathlib.Path, tmp_path: pathlib.Path) -> Callable[[], str]:
    """The fingerprint now, with what is remembered from before."""
    (tmp_path / 'kept').mkdir()
    return lambda: fingerprint(
        list_source(SourceSpec(str(root))), ContentDigests(tmp_path / 'kept')
    )


def exchange_by_renaming(root: pathlib.Path) -> None:
    (root / A).rename(root / 'x')
    (root / B).rename(root / A)
    (root / 'x').rename(root / B)


def exchange_in_place(root: pathlib.Path) -> None:
    """As `cp -p`, rsync and archives write: the file stays, and its time is set back."""
    for name, content in ((A, b'two'), (B, b'one')):
        (root / name).write_bytes(content)
        os.utime(root / name, ns=(10**18, 10**18))


@pytest.mark.parametrize(
    'change',
    [
        exchange_by_renaming,
        exchange_in_place,
        lambda root: (root / A).write_bytes(b'three'),
        lambda root: (root / A).rename(root / 'a' / '009.png'),
        lambda root: (root / A).unlink(),
        lambda root: shutil.copy(root / A, root / 'a' / 'more.png'),
        lambda root: (root / 'a' / 'new.heic').touch(),  # is in the quarantine
        lambda root: [(root / A).unlink(), (root / A).symlink_to('gone')],
    ],
)
def test_what_changes_it(root, digest, change) -> None:
    before = digest()
    info = (root / A).stat()
    assert digest() == before
    change(root)
    after = digest()
    assert after != before
    assert digest() == after
    if change is exchange_in_place:  # the case that size, time and number of the file do not show
        now = (root / A).stat()
        assert (now.st_size, now.st_mtime_ns, now.st_ino) == (3, info.st_mtime_ns, info.st_ino)


@pytest.mark.parametrize(
    'change',
    [
        lambda root: os.utime(root / A),
        lambda root: (root / A).chmod(0o600),
        lambda root: [
            shutil.copytree(root, f'{root}2'),
            shutil.rmtree(root),
            pathlib.Path(f'{root}2').rename(root),
        ],
        lambda root: (root / '.DS_Store').write_bytes(b'x'),
    ],
)
def test_what_leaves_it(root, digest, change) -> None:
    """A clone, a restored copy or a touched file is no reason to train again."""
    before = digest()
    change(root)
    assert digest() == before


def test_files_that_are_no_images_count_by_their_names(root, digest) -> None:
    (root / 'README.md').write_text('one')
    before = digest()
    (root / 'README.md').write_text('two')
    assert digest() == before
    (root / 'a' / 'one.heic').touch()  # is in the quarantine
    before = digest()
    (root / 'a' / 'one.heic').write_text('content')
    assert digest() == before
    (root / 'a' / 'one.heic').rename(root / 'a' / 'two.heic')
    assert digest() != before


def test_unchanged_files_are_not_read_again(root, digest, tmp_path, monkeypatch) -> None:
    before = digest()
    read: list[pathlib.Path] = []
    original = fingerprint_lib.files.sha256
    monkeypatch.setattr(
        fingerprint_lib.files, 'sha256', lambda path: read.append(path) or original(path)
    )
    assert digest() == before and read == []
    os.utime(root / A)
    assert digest() == before and read == [root / A]
    (tmp_path / 'kept' / 'source_digests.json').write_text('{"x": 1}')
    assert digest() == before and len(read) == 9  # damaged: all are read


def test_file_that_changes_while_it_is_read_is_read_again(root, digest, monkeypatch) -> None:
    original = fingerprint_lib.files.sha256

    def overtaken(path: pathlib.Path) -> str:
        content = original(path)
        if path == root / A:
            path.write_bytes(b'new')
        return content

    with monkeypatch.context() as patched:
        patched.setattr(fingerprint_lib.files, 'sha256', overtaken)
        before = digest()
    assert digest() != before


def test_files_that_just_changed_are_read_again(root, digest, tmp_path, monkeypatch) -> None:
    """Their next change may fall into the same tick of the file system's clock."""
    monkeypatch.setattr(fingerprint_lib, 'SETTLED', 3600.0)
    digest()
    assert not (tmp_path / 'kept' / 'source_digests.json').exists()


@pytest.mark.parametrize('field', ['st_size', 'st_mtime_ns', 'st_ctime_ns', 'st_ino'])
def test_state_of_a_file(root: pathlib.Path, field: str) -> None:
    """Each is what is left where a file system does not keep the others."""
    real = (root / A).stat()

    class Info:
        def __getattr__(self, name: str) -> object:
            return getattr(real, name) + (name == field)

    assert state_of(Info()) != state_of(real)  # type: ignore[arg-type]
    assert state_of((root / A).stat()) == state_of(real)


@pytest.mark.parametrize('change', [{'size': 4}, {'stamp': '2.0'}, {'relative': 'a/1.png'}])
def test_objects_in_a_bucket_count_by_size_and_last_write(tmp_path, change) -> None:
    entry = Entry('thawmem://bucket/a/0.png', 'a/0.png', 3, '1.0')
    digests = ContentDigests(tmp_path)
    before = fingerprint(Listing((), (), (), files=(entry,)), digests)
    changed = dataclasses.replace(entry, **change)
    assert fingerprint(Listing((), (), (), files=(changed,)), digests) != before


def test_manifest_and_its_files(tmp_path, digest, root) -> None:
    table = root / 'labels.csv'
    rows = [f'{c}/00{i}.png,{c}' for c in 'ab' for i in range(4)]
    spec = SourceSpec(str(table))

    def current() -> str:
        return fingerprint(list_source(spec), ContentDigests(tmp_path / 'kept'))

    table.write_text('\n'.join(['path,label', *rows]))
    before = current()
    assert current() == before
    table.write_text('\n'.join(['path,label', *rows, '']))
    other_table = current()
    exchange_in_place(root)
    assert len({before, other_table, current()}) == 3


def test_records_of_one_name_in_two_folders(tmp_path: pathlib.Path) -> None:
    for folder, content in (('a', b'one'), ('b', b'two')):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'x.tfrecord').write_bytes(content)
    spec = SourceSpec(str(tmp_path / '*' / 'x.tfrecord'))
    listing = list_source(spec)
    assert [file.relative for file in listing.record_files] == ['a/x.tfrecord', 'b/x.tfrecord']
    before = fingerprint(listing, ContentDigests(tmp_path))
    (tmp_path / 'a').rename(tmp_path / 'x')
    (tmp_path / 'b').rename(tmp_path / 'a')
    (tmp_path / 'x').rename(tmp_path / 'b')
    assert fingerprint(list_source(spec), ContentDigests(tmp_path)) != before


def test_one_reader_of_digests_answers_twice(root, tmp_path) -> None:
    listing, digests = list_source(SourceSpec(str(root))), ContentDigests(tmp_path)
    assert fingerprint(listing, digests) == fingerprint(listing, digests)
    (root / A).write_bytes(b'three')
    assert fingerprint(listing, digests) == fingerprint(listing, ContentDigests(tmp_path))


def test_names_that_are_no_text(root, digest) -> None:
    before = digest()
    for name in (b'\xff.png', b'\xfe.png'):
        (root / 'a' / os.fsdecode(name)).write_bytes(b'one')
        assert digest() != before
        before = digest()


def test_what_is_no_regular_file_is_not_read(root, digest) -> None:
    os.mkfifo(root / 'a' / 'pipe.png')
    assert digest() == digest()
