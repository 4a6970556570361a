"""Folder sources: classes, layouts, and everything that is not an image."""

from __future__ import annotations

import collections
import pathlib
import subprocess
import sys

import pytest

from tests.components.ingestion.images import class_folders
from thawline import ROOT
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion import storage
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared.errors import ConfigError, DataError


def listing(root: pathlib.Path, **options: object) -> Listing:
    return list_source(SourceSpec(str(root), **options))  # type: ignore[arg-type]


def labels(found: Listing) -> dict[str | None, int]:
    return dict(collections.Counter(i.label for i in found.items))


def error(root: pathlib.Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        listing(root, **options)
    return str(caught.value)


def test_a_folder_a_class_with_deeper_folders(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'cat': 3, 'dog': 2, 'dog/puppies/2024': 2})
    found = listing(tmp_path)
    assert labels(found) == {'cat': 3, 'dog': 4}
    assert [i.relative_path for i in found.items] == sorted(i.relative_path for i in found.items)
    assert found.items[0].path == str(tmp_path / 'cat' / '000.png')
    assert {i.split for i in found.items} == {None}
    assert found.rejected == ()


def test_train_val_test_layout_is_kept(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {f'{s}/{c}': 2 for s in ('Train', 'valid', 'TEST') for c in 'ab'})
    found = listing(tmp_path)
    assert labels(found) == {'a': 6, 'b': 6}
    counts = collections.Counter(i.split for i in found.items)
    assert counts == {'train': 4, 'val': 4, 'test': 4}
    assert any('the given splits are kept' in note for note in found.notes)


def test_incomplete_layout_says_what_is_done(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'train/a': 3, 'train/b': 3, 'test/a': 1, 'test/b': 1})
    assert any('val is taken out of train' in note for note in listing(tmp_path).notes)


def test_a_class_may_be_called_train(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'train': 3, 'bus': 3, 'car': 3})
    found = listing(tmp_path)
    assert labels(found) == {'bus': 3, 'car': 3, 'train': 3}
    assert {i.split for i in found.items} == {None}


def test_unlabelled_test_folder_is_quarantined(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'train/a': 3, 'train/b': 3, 'test': 2})
    found = listing(tmp_path)
    assert [r.reason for r in found.rejected] == [reasons.NO_CLASS_FOLDER] * 2
    assert any('val and test is taken out of train' in note for note in found.notes)


def test_other_files_are_recorded_and_droppings_ignored(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'cat': 3, 'dog': 3})
    (tmp_path / 'labels.csv').write_text('path,label\n')
    (tmp_path / 'cat' / 'photo.HEIC').write_bytes(b'x')
    (tmp_path / 'cat' / 'noext').write_bytes(b'x')
    for name in ('.DS_Store', 'Thumbs.db', 'desktop.ini', '._000.png'):
        (tmp_path / 'dog' / name).write_bytes(b'x')
    (tmp_path / '.git').mkdir()
    (tmp_path / '.git' / 'x.png').write_bytes(b'x')
    found = listing(tmp_path)
    assert {r.path: r.reason for r in found.rejected} == {'cat/photo.HEIC': reasons.UNSUPPORTED}
    assert 'cat/noext' in {i.relative_path for i in found.items}  # Its content will tell.
    assert any(
        note.startswith('1 files are not images by their suffix (1 x .csv)') for note in found.notes
    )
    assert len(found.items) == 7


def test_image_outside_a_class_folder_is_quarantined(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'cat': 3, 'dog': 3, '.': 1})
    found = listing(tmp_path)
    assert [(r.path, r.reason) for r in found.rejected] == [('000.png', reasons.NO_CLASS_FOLDER)]


def test_linked_folders_are_followed_once(tmp_path: pathlib.Path) -> None:
    store = class_folders(tmp_path / 'store', {'a': 3})
    root = class_folders(tmp_path / 'root', {'b': 3})
    (root / 'a').symlink_to(store / 'a', target_is_directory=True)
    (root / 'b' / 'again').symlink_to(root, target_is_directory=True)
    assert labels(listing(root)) == {'a': 3, 'b': 3}


def test_a_link_to_itself_is_one_bad_file(tmp_path: pathlib.Path) -> None:
    root = class_folders(tmp_path / 'root', {'a': 3, 'b': 3})
    (root / 'a' / 'loop.png').symlink_to('loop.png')
    (root / '.hidden').symlink_to('.hidden')
    found = listing(root)
    assert labels(found) == {'a': 4, 'b': 3}
    (loop,) = (entry for entry in found.files if entry.relative == 'a/loop.png')
    assert loop.size == 0


def test_group_pattern(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'a/p1': 2, 'a/p2': 2, 'b/p3': 3, 'b': 1})
    found = listing(tmp_path, group_pattern=r'/(p\d+)/')
    assert {i.group for i in found.items} == {'p1', 'p2', 'p3', None}
    assert any(note.startswith('1 images do not match') for note in found.notes)
    for pattern in ('(', 'p', '(a)(b)'):
        with pytest.raises(ConfigError, match='data.group_pattern'):
            listing(tmp_path, group_pattern=pattern)


def test_no_such_path_names_what_is_near(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'flowers').mkdir()
    message = error(tmp_path / 'flower')
    assert 'does not exist' in message
    assert f'Did you mean {tmp_path / "flowers"}?' in message
    assert f'no nowhere in {tmp_path}' in error(tmp_path / 'nowhere' / 'deep')


def test_empty_folder(tmp_path: pathlib.Path) -> None:
    assert 'is empty' in error(tmp_path)
    (tmp_path / '.hidden').write_text('')
    assert 'hidden files ignored: 1' in error(tmp_path)
    (tmp_path / 'class').mkdir()
    assert 'is empty' in error(tmp_path)


def test_folder_without_images(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'README').write_text('no')
    (tmp_path / 'a.csv').write_text('no')
    message = error(tmp_path)
    assert 'has no images' in message
    assert '1 x .csv' in message


def test_images_without_class_folders(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'.': 4})
    assert 'no class folders' in error(tmp_path)


def test_one_class_and_a_class_with_one_image(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'cat': 5})
    assert "one class, 'cat'" in error(tmp_path)
    class_folders(tmp_path, {'dog': 1})
    assert "'dog' has 1; each class needs at least 3" in error(tmp_path)


def test_a_file_is_no_folder(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'x.png').write_bytes(b'')
    assert 'is a file' in error(tmp_path / 'x.png')


def test_label_variants(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'Cat': 3, 'cat ': 1, 'cat': 2, 'dog': 3})
    message = error(tmp_path)
    assert "'Cat' (3), 'cat' (2), 'cat ' (1)" in message
    assert 'data.normalise_labels: true' in message
    found = listing(tmp_path, normalise_labels=True)
    assert labels(found) == {'Cat': 6, 'dog': 3}
    assert any('are taken as one class' in note for note in found.notes)


def test_names_that_are_not_utf8_are_quarantined(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'a': 3, 'b': 3})
    bad = bytes(tmp_path / 'a') + b'/caf\xe9.png'
    with open(bad, 'wb') as file:
        file.write(b'x')
    found = listing(tmp_path)
    assert [r.reason for r in found.rejected] == [reasons.BAD_NAME]
    assert len(found.items) == 6


def test_listing_needs_no_heavy_import(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'a': 3, 'b': 3})
    code = (
        'import sys; from thawline.components.ingestion.sources import SourceSpec, list_source; '
        'print(len(list_source(SourceSpec(sys.argv[1])).items)); '
        'sys.exit(str([m for m in ("tensorflow", "tfx", "apache_beam") if m in sys.modules] or ""))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, str(tmp_path)],
        capture_output=True, text=True, check=False,
        cwd=ROOT,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr.strip()) == ('6', '')


def test_what_servers_windows_and_this_project_leave_is_no_image(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'cat': 3, 'dog': 3, 'cat/@eaDir/000.png': 2, 'lost+found': 2})
    (tmp_path / 'cat' / '000.png:Zone.Identifier').write_text('[ZoneTransfer]')
    (tmp_path / 'thawline.yaml').write_text('name: x')
    (tmp_path / 'schema.pbtxt').write_text('')
    class_folders(tmp_path / 'runs' / 'x', {'artifacts': 4})
    (tmp_path / 'runs' / 'x' / storage.OUTPUT_MARKER).touch()
    (tmp_path / 'runs' / 'x' / 'lock').write_text('1')
    before = listing(tmp_path)
    assert labels(before) == {'cat': 3, 'dog': 3}
    assert before.rejected == () and before.notes == ()
    (tmp_path / 'thawline.yaml').write_text('name: y')
    class_folders(tmp_path / 'runs' / 'x', {'artifacts': 5})
    assert listing(tmp_path) == before


def test_files_beside_images_are_noted_and_not_unusable_images(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'cat': 3, 'dog': 3})
    (tmp_path / 'README.roboflow.txt').write_text('x')
    (tmp_path / 'cat' / 'notes.md').write_text('x')
    read = listing(tmp_path)
    assert read.rejected == ()
    (note,) = read.notes
    assert '2 files' in note and '1 x .txt' in note and '1 x .md' in note


def test_folders_without_images_and_hidden_ones_are_named(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'cat': 3, 'dog': 3, '.net': 4})
    (tmp_path / 'rust').mkdir()
    (tmp_path / 'docs').mkdir()
    (tmp_path / 'docs' / 'a.md').write_text('x')
    (tmp_path / '.git').mkdir()
    (tmp_path / '.git' / 'HEAD').write_text('x')
    (tmp_path / 'dog' / 'later').mkdir()
    notes = listing(tmp_path).notes
    assert any('docs/, rust/' in note and 'later' not in note for note in notes)
    assert any('.net/ (4 images)' in note and '.git' not in note for note in notes)


def test_a_class_of_which_no_image_is_of_a_readable_kind_stops(tmp_path: pathlib.Path) -> None:
    class_folders(tmp_path, {'train/cat': 3, 'train/dog': 3, 'test/cat': 3})
    for name in ('train/bird', 'test/dog'):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / '1.heic').write_bytes(b'x')
    message = error(tmp_path)
    assert "'bird' (1 x .heic)" in message and "'dog'" not in message
