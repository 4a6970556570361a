"""How a tree of images is meant: a folder a class, as such or inside folders that are splits.

What the folders hold is the evidence, their names are a hint: folders that hold the same class
folders are splits. Where that leaves two readings, a person has to say which one is right.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from thawline.components.ingestion.source_types import SPLIT_ALIASES
from thawline.components.shared.errors import DataError
from thawline.components.shared.splits import SPLITS, TRAIN
from thawline.components.shared.text import abbreviate

# Words in the names of folders, besides the names that a CSV may use.
_WORDS = {
    **SPLIT_ALIASES,
    'trainset': 'train', 'trn': 'train',
    'valset': 'val', 'validate': 'val',
    'testset': 'test', 'eval': 'test', 'evaluation': 'test', 'holdout': 'test',
}  # fmt: skip
_LISTED = 6


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the relative path of an image is read.

    Attributes:
        wrapper: folder that holds everything, with its '/'; '' where there is none.
        splits: first-level folder below it -> split, or None for one that Thawline divides itself;
            empty where the first level is the classes.
        left_out: first-level folders below it that hold neither.
    """

    wrapper: str
    splits: Mapping[str, str | None]
    left_out: Sequence[str] = ()

    def read(self, relative: str) -> tuple[str | None, str | None]:
        """The class and the given split of an image; no class where it is in no class folder."""
        parts = relative.removeprefix(self.wrapper).split('/')
        if parts[0] in self.left_out:
            return None, None
        level = 1 if self.splits else 0  # of the class folders
        label = parts[level] if len(parts) > level + 1 else None
        return label, self.splits.get(parts[0])

    def notes(self, used: Iterable[str | None]) -> Iterable[str]:
        """What a person should know of this reading; nothing where it is the plain one.

        Args:
            used: splits that have images with a class.
        """
        if self.wrapper:
            yield f'all images are in {self.wrapper}, so its folders are read'
        named = {top: split for top, split in self.splits.items() if split}
        if named:
            folders = ', '.join(f'{top}/ is {split}' for top, split in sorted(named.items()))
            absent = [split for split in SPLITS if split not in set(used)]
            taken = f'; {" and ".join(absent)} is taken out of train' if absent else ''
            yield f'the given splits are kept: {folders}{taken}'
        elif self.splits:
            folders = abbreviate((f'{top}/' for top in sorted(self.splits)), _LISTED)
            yield f'{folders} hold the same classes; they are read as one set and split anew'
        if self.left_out:
            folders = abbreviate((f'{top}/' for top in self.left_out), _LISTED)
            yield f'left out: {folders}, which is neither a split nor a class'


class _Folder:
    """A first-level folder: images directly in it, and in each folder below it."""

    def __init__(self) -> None:
        self.direct = 0
        self.below: collections.Counter[str] = collections.Counter()

    def __str__(self) -> str:
        below = (f'{name}/ {images:,}' for name, images in sorted(self.below.items()))
        parts = [f'{self.direct:,} images'] if self.direct or not self.below else []
        return ', '.join([*parts, *filter(None, [abbreviate(below, _LISTED)])])


def find(paths: Sequence[str], source: str, setting: str = 'auto') -> Layout:
    """The layout of the images of a folder.

    Args:
        paths: of the images, relative to the source, with '/'.
        source: for the error.
        setting: data.layout: 'auto', 'classes' or 'splits'.

    Raises:
        DataError: it can be read in two ways, or not in the way that `setting` says.
    """
    wrapper = _wrapper(paths)
    folders = _folders(path.removeprefix(wrapper) for path in paths)
    if setting == 'classes':
        return Layout(wrapper, {})
    words = {top: split_word(top) for top in folders}
    # A stray image beside them does not make class folders a class.
    bearing = [top for top, folder in folders.items() if folder.below.total() > folder.direct]
    named = {top: split for top in bearing if (split := words[top])}
    if setting == 'splits':
        return _as_splits(wrapper, folders, bearing, named, words, source)
    if TRAIN in named.values():
        others = [top for top in folders if top not in named and not words[top]]
        # A class may be called 'train', and have folders of its own.
        if not others or _same_classes(folders, list(named)):
            return _named(wrapper, words)
        raise _ambiguous(folders, source, f'{", ".join(sorted(others))} is not named like a split')
    if len(bearing) > 1 and _same_classes(folders, bearing):
        raise _ambiguous(folders, source, 'they hold folders of the same names')
    if len(folders) > 1 and all(words.values()) and TRAIN in words.values():
        raise _ambiguous(folders, source, 'they are named like splits but hold no class folders')
    # A second copy of the set beside its class folders, as some archives have it.
    copies = [top for top in bearing if len(folders[top].below) > 1 and _is_copy(folders, top)]
    return Layout(wrapper, {}, sorted(copies))


def _is_copy(folders: Mapping[str, _Folder], top: str) -> bool:
    return not folders[top].direct and set(folders[top].below) <= set(folders) - {top}


def _wrapper(paths: Sequence[str]) -> str:
    """The folders that hold all images and folders with images, as 'a/b/'; often ''."""
    wrapper = ''
    while True:
        tops = {path.removeprefix(wrapper).partition('/') for path in paths}
        names = {name if slash else '' for name, slash, _ in tops}
        if len(names) != 1 or '' in names:
            return wrapper
        inner = f'{wrapper}{names.pop()}/'
        # The last folder with images is a class, if a lonely one: that has an error of its own.
        if all('/' not in path.removeprefix(inner) for path in paths):
            return wrapper
        wrapper = inner


def _folders(paths: Iterable[str]) -> dict[str, _Folder]:
    folders: dict[str, _Folder] = collections.defaultdict(_Folder)
    for path in paths:
        top, *rest = path.split('/')
        if len(rest) == 1:
            folders[top].direct += 1
        elif rest:
            folders[top].below[rest[0]] += 1
    return dict(folders)


def split_word(name: str) -> str | None:
    """The split that the name of a folder speaks of: 'training_set', 'images-test2017'."""
    words = (_WORDS.get(word) for word in re.split(r'[^a-z]+', name.lower()))
    return next(filter(None, words), None)


def _same_classes(folders: Mapping[str, _Folder], tops: Sequence[str]) -> bool:
    """Whether folders share two names or more below them, most of what the smallest has."""
    names = [set(folders[top].below) for top in tops]
    shared = set.intersection(*names)
    return len(tops) > 1 and len(shared) > 1 and 2 * len(shared) >= min(map(len, names))


def _named(wrapper: str, words: Mapping[str, str | None]) -> Layout:
    """Splits by their names; what is named like one and holds no class has unlabelled images."""
    splits = {top: split for top, split in words.items() if split}
    return Layout(wrapper, splits, sorted(words.keys() - splits.keys()))


def _as_splits(
    wrapper: str,
    folders: Mapping[str, _Folder],
    bearing: Sequence[str],
    named: Mapping[str, str],
    words: Mapping[str, str | None],
    source: str,
) -> Layout:
    if not bearing:
        raise DataError(
            f'data.layout is splits, but no folder in {source} holds class folders: '
            f'{_tree(folders)}'
        )
    if TRAIN in named.values():
        return _named(wrapper, words)
    left_out = sorted(set(folders) - set(bearing))
    return Layout(wrapper, dict.fromkeys(bearing), left_out)


def _ambiguous(folders: Mapping[str, _Folder], source: str, why: str) -> DataError:
    return DataError(
        f'It is not clear whether the folders in {source} are classes or splits, because {why}: '
        f'{_tree(folders)}. Set data.layout to classes or to splits (with thawline init: --layout)'
        ', or rename the folders that are splits to train, val and test.'
    )


def _tree(folders: Mapping[str, _Folder]) -> str:
    return '; '.join(f'{top}/ ({folder})' for top, folder in sorted(folders.items())[:_LISTED])
