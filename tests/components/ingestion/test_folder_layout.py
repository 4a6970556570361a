"""How folders are read: as classes, as splits, or as a question."""

from __future__ import annotations

import collections

import pytest

from thawline.components.ingestion import folder_layout
from thawline.components.shared.errors import DataError

CLASSES = {'cats': 12, 'dogs': 12}


def tree(**folders: int | dict[str, int] | dict[str, dict[str, int]]) -> list[str]:
    """Paths of images: a number of images, or what is in the folder."""
    paths = []
    for name, content in folders.items():
        if isinstance(content, int):
            paths += [f'{name}/{number}.jpg' for number in range(content)]
        else:
            paths += [f'{name}/{path}' for path in tree(**content)]  # type: ignore[arg-type]
    return paths


def read(paths: list[str], setting: str = 'auto') -> dict[tuple[str | None, str | None], int]:
    """(class, split) -> images; (None, ...) for what is in no class."""
    layout = folder_layout.find(paths, '/data', setting)
    return dict(collections.Counter(layout.read(path) for path in paths))


def splits(**named: str | None) -> dict[tuple[str | None, str | None], int]:
    counts: collections.Counter[tuple[str | None, str | None]] = collections.Counter()
    for split in named.values():
        counts.update({('cats', split): 12, ('dogs', split): 12})
    return dict(counts)


PLAIN = {('cats', None): 12, ('dogs', None): 12}


@pytest.mark.parametrize(
    ('folders', 'expected'),
    [
        (CLASSES, PLAIN),
        ({'train': CLASSES, 'val': CLASSES}, splits(train='train', val='val')),
        ({'train': CLASSES, 'eval': CLASSES}, splits(train='train', eval='test')),
        ({'training_set': CLASSES, 'test_set': CLASSES}, splits(a='train', b='test')),
        ({'images-train2017': CLASSES, 'images-val2017': CLASSES}, splits(a='train', b='val')),
        ({'Train': CLASSES, 'VALID': CLASSES, 'Testing': CLASSES},
         splits(a='train', b='val', c='test')),
        # a folder around everything, also twice
        ({'archive': CLASSES}, PLAIN),
        ({'archive': {'data': {'train': CLASSES, 'val': CLASSES}}}, splits(a='train', b='val')),
        # a second copy of the set
        ({'train': CLASSES, 'val': CLASSES, 'data': {'train': CLASSES, 'val': CLASSES}},
         {**splits(a='train', b='val'), (None, None): 48}),
        ({**CLASSES, 'copy': CLASSES}, {**PLAIN, (None, None): 24}),
        # images without a class
        ({'train': CLASSES, 'val': CLASSES, 'test': 5},
         {**splits(a='train', b='val'), (None, 'test'): 5}),
        ({'train': {**CLASSES}, 'unlabelled': 5, 'val': CLASSES},
         {**splits(a='train', b='val'), (None, None): 5}),
        # names of splits that are classes
        ({'train': 3, 'bus': 3, 'car': 3},
         {('train', None): 3, ('bus', None): 3, ('car', None): 3}),
        ({'train': {'steam': 3, 'diesel': 3}, 'test': 0, 'bus': {'red': 3}, 'car': 3}, None),
        # folders within classes that say something else
        ({'cats': {'2023': 6, 'p1': 6}, 'dogs': {'2024': 12}}, PLAIN),
    ],
)  # fmt: skip
def test_what_folders_hold_decides(folders, expected) -> None:
    if expected is None:
        with pytest.raises(DataError, match=r'bus, car.*data\.layout'):
            read(tree(**folders))
    else:
        assert read(tree(**folders)) == expected


@pytest.mark.parametrize(
    'folders',
    [
        {'fold_1': CLASSES, 'fold_2': CLASSES},
        {'site_a': CLASSES, 'site_b': CLASSES},
        {'train': CLASSES, 'more': CLASSES},
        {'train': 12, 'test': 12},
    ],
)
def test_two_readings_are_asked_for(folders) -> None:
    paths = tree(**folders)
    with pytest.raises(DataError) as caught:
        read(paths)
    message = str(caught.value)
    assert 'data.layout' in message and '--layout' in message and '/data' in message
    for name, content in folders.items():
        assert f'{name}/ (' in message
        assert 'cats/ 12' in message or isinstance(content, int)

    as_classes = read(paths, 'classes')
    assert as_classes == dict(collections.Counter((path.partition('/')[0], None) for path in paths))


def test_folds_are_one_set_where_they_are_said_to_be_splits() -> None:
    paths = tree(fold_1=CLASSES, fold_2=CLASSES)
    assert read(paths, 'splits') == {('cats', None): 24, ('dogs', None): 24}
    layout = folder_layout.find(paths, '/data', 'splits')
    (note,) = layout.notes({None})
    assert 'fold_1/, fold_2/' in note
    with pytest.raises(DataError, match='no folder in /data holds class folders'):
        read(tree(cats=3, dogs=3), 'splits')


def test_notes_name_what_is_read_otherwise() -> None:
    plain = folder_layout.find(tree(**CLASSES), '/data')
    assert list(plain.notes({None})) == []
    paths = tree(all={'train': CLASSES, 'eval': CLASSES, 'odd': 3})
    notes = ' '.join(folder_layout.find(paths, '/data').notes({'train', 'test'}))
    for part in ('all/', 'train/ is train', 'eval/ is test', 'val is taken out of train', 'odd/'):
        assert part in notes
