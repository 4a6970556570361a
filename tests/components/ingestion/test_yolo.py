"""YOLO folders as sources of boxes, good and bad."""

from __future__ import annotations

import collections
import pathlib
import shutil
from typing import Any

import pytest

from tests.components.ingestion import memory_files
from tests.components.ingestion.images import encoded, picture
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.boxes import Box
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.ingestion.sources import detect_format, list_source
from thawline.components.shared.errors import DataError

IMAGE = encoded(picture(0, (12, 8)), 'PNG')


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """6 pictures with 2 boxes each in train, 4 in valid, as Roboflow writes them."""
    for split, count in (('train', 6), ('valid', 4)):
        for name in ('images', 'labels'):
            (tmp_path / split / name).mkdir(parents=True)
        for n in range(count):
            (tmp_path / split / 'images' / f'{n}.png').write_bytes(IMAGE)
            lines = f'{n % 2} 0.5 0.5 0.5 0.25\n{n % 2} 0.1 0.2 0.1 0.1\n'
            (tmp_path / split / 'labels' / f'{n}.txt').write_text(lines)
    write(tmp_path, 'train: ../train/images\nval: ../valid/images\nnc: 2\nnames: [ant, bee]\n')
    return tmp_path


def write(root: pathlib.Path, text: str) -> None:
    (root / 'data.yaml').write_text(text)


def listing(source: pathlib.Path | str, **options: Any) -> Listing:
    return list_source(SourceSpec(str(source), **options))


def error(root: pathlib.Path) -> str:
    with pytest.raises(DataError) as caught:
        listing(root, format='yolo')
    return str(caught.value)


def test_each_box_is_an_image_of_its_class(root: pathlib.Path) -> None:
    found = listing(root)
    assert collections.Counter((i.split, i.label) for i in found.items) == {
        ('train', 'ant'): 6, ('train', 'bee'): 6, ('val', 'ant'): 4, ('val', 'bee'): 4,
    }  # fmt: skip
    assert found.items[0].relative_path == 'train/images/0.png#line1'
    assert found.items[0].box == Box(0.25, 0.375, 0.75, 0.625, (1, 1))
    assert listing(root / 'data.yaml').items == found.items
    assert detect_format(SourceSpec(str(root))) == 'yolo'


@pytest.mark.parametrize(
    'head', ['path: .\n', 'path: ../datasets/elsewhere\n', 'path: {root}\n', '']
)
def test_mirrored_folders_and_names_as_a_map(root: pathlib.Path, head: str) -> None:
    """As Ultralytics has them; `path` may be of another machine."""
    for kind in ('images', 'labels'):
        (root / kind).mkdir()
        for split in ('train', 'valid'):
            (root / split / kind).rename(root / kind / split)
    text = 'train: images/train\nval: [images/valid]\ntest:\nnames:\n  0: ant\n  1: bee\n'
    write(root, head.format(root=root) + text)
    found = listing(root)
    assert len(found.items) == 20 and found.items[0].relative_path == 'images/train/0.png#line1'


def test_lists_of_pictures(root: pathlib.Path) -> None:
    """As CVAT has them."""
    write(root, 'train: train.txt\nval: valid/images\nnames: {0: ant, 1: bee}\n')
    lines = [f'data/train/images/{n}.png' for n in range(6)] + ['./train/images/9.png']
    (root / 'train.txt').write_text('\n'.join(lines))
    found = listing(root)
    assert collections.Counter(i.split for i in found.items) == {'train': 12, 'val': 8}
    assert [(r.path, r.reason) for r in found.rejected] == [
        ('./train/images/9.png', reasons.MISSING_FILE)
    ]


def test_darknet(root: pathlib.Path) -> None:
    """As CVAT has it as YOLO 1.1."""
    (root / 'data.yaml').unlink()
    (root / 'obj.names').write_text('ant\nbee\n')
    lines = ['classes = 2', 'train = data/train.txt', 'names = data/obj.names', 'backup = backup/']
    (root / 'obj.data').write_text('\n'.join(lines))
    (root / 'train.txt').write_text('\n'.join(f'data/obj_train_data/{n}.png' for n in range(6)))
    (root / 'train' / 'images').rename(root / 'obj_train_data')
    for file in (root / 'train' / 'labels').iterdir():
        file.rename(root / 'obj_train_data' / file.name)
    found = listing(root)
    assert collections.Counter(i.label for i in found.items) == {'ant': 6, 'bee': 6}
    assert {i.split for i in found.items} == {None}
    assert found.items[0].relative_path == 'obj_train_data/0.png#line1'
    (root / 'obj.names').unlink()
    assert "names: 'data/obj.names' does not exist" in error(root)


def test_a_single_folder_is_split_here(root: pathlib.Path) -> None:
    """As Label Studio exports it."""
    (root / 'data.yaml').unlink()
    for kind in ('images', 'labels'):
        (root / 'train' / kind).rename(root / kind)
    (root / 'classes.txt').write_text('ant\nbee\n')
    shutil.rmtree(root / 'valid')
    found = listing(root)
    assert {i.split for i in found.items} == {None} and len(found.items) == 12
    write(root, 'train: images\nnames: [ant, bee]\n')
    assert listing(root).items == found.items


def test_polygons_become_their_bounding_box(root: pathlib.Path) -> None:
    text = '0 0.1 0.2 0.3 0.2 0.2 0.6\n1 .5 .5 .9 .5 .9 .8 .5 .8\n'
    (root / 'train' / 'labels' / '0.txt').write_text(text)
    boxes = [item.box for item in listing(root).items[:2]]
    assert boxes == [Box(0.1, 0.2, 0.3, 0.6, (1, 1)), Box(0.5, 0.5, 0.9, 0.8, (1, 1))]


def test_key_points_are_left_alone(root: pathlib.Path) -> None:
    write(root, (root / 'data.yaml').read_text() + 'kpt_shape: [1, 2]\n')
    for file in (root / 'train' / 'labels').iterdir():
        file.write_text('0 0.5 0.5 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.5 0.25 0.2 0.2\n')
    assert listing(root).items[0].box == Box(0.25, 0.25, 0.75, 0.75, (1, 1))


@pytest.mark.parametrize(
    ('line', 'reason'),
    [
        ('0 0.5 0.5 0.5', reasons.MALFORMED_ROW),
        ('0 0.5 0.5 0.5 0.5 0.9', reasons.MALFORMED_ROW),
        ('ant 0.5 0.5 0.5 0.5', reasons.MALFORMED_ROW),
        ('0.0 0.5 0.5 0.5 0.5', reasons.MALFORMED_ROW),
        ('0 0.5 nan 0.5 0.5', reasons.MALFORMED_ROW),
        ('0 0.5 0.5 0 0.5', reasons.EMPTY_BOX),
        ('0 0.5 0.5 -0.1 0.5', reasons.EMPTY_BOX),
        ('0 1.5 0.5 0.5 0.5', reasons.BOX_OUTSIDE),
        ('0 320 240 64 64', reasons.BOX_OUTSIDE),
    ],
)
def test_a_bad_line_costs_one_box(root: pathlib.Path, line: str, reason: str) -> None:
    (root / 'train' / 'labels' / '0.txt').write_text(f'\n0 0.5 0.5 0.5 0.5\n{line}\n')
    found = listing(root)
    (rejected,) = found.rejected
    assert (rejected.path, rejected.reason) == ('train/images/0.png#line3', reason)
    assert 'train/labels/0.txt, line 3' in rejected.detail and len(found.items) == 19


def test_labels_without_a_picture_and_pictures_without_labels(root: pathlib.Path) -> None:
    (root / 'train' / 'images' / '0.png').unlink()
    (root / 'train' / 'labels' / '1.txt').unlink()
    (root / 'train' / 'labels' / '2.txt').write_text('')
    found = listing(root)
    assert {(r.path, r.reason) for r in found.rejected} == {
        (f'train/labels/0.txt#line{n}', reasons.MISSING_FILE) for n in (1, 2)
    }
    assert any('2 pictures without boxes' in note for note in found.notes)
    assert len(found.items) == 14


def test_a_class_beyond_the_names_is_refused(root: pathlib.Path) -> None:
    (root / 'train' / 'labels' / '1.txt').write_text('1 .5 .5 .5 .5\n2 .5 .5 .5 .5\n')
    message = error(root)
    assert 'train/labels/1.txt, line 2' in message and 'class 2' in message and '0 to 1' in message


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('names: [ant, ant]\ntrain: train/images', ('names', "'ant' twice")),
        ('names: [yes, no]\ntrain: train/images', ('names', 'True')),
        ('names: {a: ant}\ntrain: train/images', ('names', "{'a': 'ant'}")),
        ('names: []\ntrain: train/images', ('names', '[]')),
        ('train: train/images', ('names', 'None')),
        ('names: [ant, bee]', ('train', 'test')),
        ('names: [ant, bee]\ntrain: nowhere', ('train', "'nowhere'", 'does not exist')),
        ('names: [ant, bee]\ntrain: train/images\nval: train/images', ('more than one split',)),
        ('names: [ant', ('not YAML', 'line 1')),
        ('ant', ('names', "'ant'")),
    ],
)
def test_a_bad_data_yaml_is_refused(root: pathlib.Path, text: str, words: tuple[str, ...]) -> None:
    write(root, text)
    message = error(root)
    assert all(word in message for word in ('data.yaml', *words)), message


@pytest.mark.parametrize(
    'places', [
        ('/home/ada/v3/train/images', '/home/ada/v3/valid/images'),
        ('D:\\v3\\train\\images', 'D:\\v3\\valid\\images'),
        ('/content/v3/train', '/content/v3/valid'),
    ],
)  # fmt: skip
def test_folders_in_full_of_another_machine(root: pathlib.Path, places: tuple[str, str]) -> None:
    before = listing(root)
    write(root, f'names: [ant, bee]\ntrain: {places[0]}\nval: {places[1]}\n')
    found = listing(root)
    assert [(i.relative_path, i.split) for i in found.items] == [
        (i.relative_path, i.split) for i in before.items
    ]
    write(root, 'names: [ant, bee]\ntrain: /home/ada/images\n')  # any folder may be called so
    assert "'/home/ada/images' does not exist" in error(root)


@pytest.mark.parametrize(
    ('content', 'part'),
    [
        ('names: [ant, bee]\ntrain: train/images\n'.encode('utf-16'), 'not UTF-8'),
        (b'train: train/images\nval: valid/images\n', 'names must list the classes'),
        (b'\xef\xbb\xbfnc: 2\ntrain: train/images\n', 'names must list the classes'),
    ],
)
def test_a_damaged_data_yaml_is_still_that_of_yolo(
    root: pathlib.Path, content: bytes, part: str
) -> None:
    (root / 'data.yaml').write_bytes(content)
    with pytest.raises(DataError, match=part):
        listing(root)


def test_a_bucket(root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        f'{memory_files.PREFIX}bucket/set/{path.relative_to(root).as_posix()}': path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
    }
    monkeypatch.setattr(memory_files, 'FILES', files)
    found = listing(f'{memory_files.PREFIX}bucket/set/data.yaml')
    here = listing(root)
    assert [i.relative_path for i in found.items] == [i.relative_path for i in here.items]
    assert {i.path for i in found.items} <= files.keys()


def test_nothing_to_read_is_refused(root: pathlib.Path) -> None:
    for split in ('train', 'valid'):
        shutil.rmtree(root / split / 'labels')
    assert 'no usable box' in error(root) and '10 pictures without' in error(root)
    (root / 'data.yaml').unlink()
    assert 'no data.yaml' in error(root) and 'no data.yaml' in error(root / 'data.yaml')
