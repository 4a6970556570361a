"""A folder a class, as such or inside train/val/test folders."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterator

from thawline.components.ingestion import folder_layout, storage
from thawline.components.ingestion.quarantine import (
    NO_CLASS_FOLDER,
    UNSUPPORTED,
    Rejected,
)
from thawline.components.ingestion.source_types import (
    Listing,
    SourceItem,
    SourceSpec,
)
from thawline.components.shared.errors import DataError
from thawline.components.shared.text import abbreviate

IMAGE_SUFFIXES = frozenset({
    'jpg', 'jpeg', 'jpe', 'jfif', 'png', 'bmp', 'dib', 'gif', 'webp', 'tif', 'tiff', 'mpo', 'avif',
    'apng', 'ppm', 'pgm', 'pbm', 'pnm',
})  # fmt: skip
# Images, but not of a kind that is read: worth a better word than "not an image".
OTHER_IMAGE_SUFFIXES = frozenset({
    'heic', 'heif', 'ico', 'icns', 'psd', 'eps', 'svg', 'pdf', 'jp2', 'j2k', 'jpx', 'jxl', 'raw',
    'cr2', 'cr3', 'nef', 'arw', 'dng', 'dcm', 'tga', 'exr', 'hdr', 'xcf',
})  # fmt: skip


_LISTED = 5


def read(spec: SourceSpec) -> Listing:
    """Lists a folder source.

    Raises:
      DataError: no such folder, not readable, empty, without images, or with a class of which no
        image can be read; or it is not clear which folders are classes.
    """
    root = storage.absolute(spec.source)
    tree = storage.tree(root)
    if not tree.entries:
        raise DataError(f'The folder {root} is empty (hidden files ignored: {tree.ignored}).')
    images, unsupported, others = _sort_out(tree.entries)
    if not images:
        raise DataError(
            f'The folder {root} has no images, but {_suffixes(tree.entries)}. '
            f'Images are recognised by their suffix: {", ".join(sorted(IMAGE_SUFFIXES))}. If they '
            'are listed in a CSV or packed in TFRecords, name those files as data.source.'
        )
    layout = folder_layout.find([e.relative for e in images], root, spec.layout)
    rejected = [Rejected(e.relative, UNSUPPORTED, f'.{_suffix(e.relative)}') for e in unsupported]
    items, files = [], []
    for entry in images:
        label, split = layout.read(entry.relative)
        if label is None:
            where = f'directly in the {split} folder' if split else 'in no class folder'
            rejected.append(Rejected(entry.relative, NO_CLASS_FOLDER, where))
        else:
            items.append(SourceItem(entry.path, entry.relative, label, split))
            files.append(entry)
    if not items:
        raise DataError(
            f'The folder {root} has {len(images)} images but no class folders. Put the images of '
            'each class into a folder of its own (cat/1.jpg, dog/2.jpg), or name a CSV with '
            'their labels as data.source.'
        )
    classes = {item.label for item in items}
    _check_readable(unsupported, layout, classes, root)
    notes = [
        *layout.notes({item.split for item in items}),
        *_left_out(root, tree, others, layout, classes),
    ]
    return Listing(tuple(items), tuple(rejected), tuple(notes), files=tuple(files))


def _check_readable(
    unsupported: list[storage.Entry],
    layout: folder_layout.Layout,
    classes: set[str | None],
    root: str,
) -> None:
    """Refuses a class whose images are all of kinds that are not read: it would vanish."""
    lost = collections.defaultdict(list)
    for entry in unsupported:
        label = layout.read(entry.relative)[0]
        if label is not None and label not in classes:
            lost[label].append(entry)
    if lost:
        listed = (f'{label!r} ({_suffixes(files)})' for label, files in sorted(lost.items()))
        raise DataError(
            f'No image can be read of the class {abbreviate(listed, _LISTED)} in {root}; convert '
            'them to JPEG or PNG, or move the folder away.'
        )


def _left_out(
    root: str,
    tree: storage.FolderTree,
    others: list[storage.Entry],
    layout: folder_layout.Layout,
    classes: set[str | None],
) -> Iterator[str]:
    """What is in the folder and is not an image of a class, in words."""
    if others:
        yield f'{len(others)} files are not images by their suffix ({_suffixes(others)})'
    empty = {f'{name}/' for name in tree.empty if layout.read(f'{name}/image')[0] == _last(name)}
    labels = {layout.read(entry.relative)[0] for entry in others} - classes - {None}
    without = sorted({*empty, *(f'{label}/' for label in labels)})
    if without:
        yield f'no images, and so no class: {abbreviate(without, _LISTED)}'
    hidden = {name: _count_images(storage.join(root, name)) for name in tree.hidden}
    folders = [f'{name}/ ({images:,} images)' for name, images in hidden.items() if images]
    if folders:
        yield f'hidden folders are left out: {abbreviate(folders, _LISTED)}'


def _sort_out(
    entries: tuple[storage.Entry, ...],
) -> tuple[list[storage.Entry], list[storage.Entry], list[storage.Entry]]:
    """Images, images of kinds that are not read, and other files, by their names."""
    images, unsupported, others = [], [], []
    for entry in entries:
        suffix = _suffix(entry.relative)
        # A name without a suffix may be an image; its content will tell.
        if suffix in IMAGE_SUFFIXES or not suffix:
            images.append(entry)
        elif suffix in OTHER_IMAGE_SUFFIXES:
            unsupported.append(entry)
        else:
            others.append(entry)
    if not any(_suffix(e.relative) for e in images):
        # Only names without a suffix, as in a source tree or a .git-like store: look inside.
        others += [e for e in images if '/' not in e.relative]
        images = [e for e in images if '/' in e.relative]
    return images, unsupported, others


def _count_images(folder: str) -> int:
    """Directly in a folder, by their names."""
    try:
        return sum(_suffix(name) in IMAGE_SUFFIXES for name in os.listdir(folder))
    except OSError:
        return 0


def _last(path: str) -> str:
    return path.rpartition('/')[2]


def _suffix(path: str) -> str:
    name = _last(path)
    return name.rpartition('.')[2].lower() if '.' in name else ''


def _suffixes(entries: list[storage.Entry] | tuple[storage.Entry, ...]) -> str:
    counts = collections.Counter(_suffix(e.relative) for e in entries)
    return ', '.join(f'{n} x .{s}' if s else f'{n} without' for s, n in counts.most_common(5))
