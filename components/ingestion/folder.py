"""A folder a class, as such or inside train/val/test folders."""

from __future__ import annotations

import collections

from thawline.components.ingestion import storage
from thawline.components.ingestion.quarantine import (
    NO_CLASS_FOLDER,
    NOT_AN_IMAGE,
    UNSUPPORTED,
    Rejected,
)
from thawline.components.ingestion.source_types import (
    SPLIT_ALIASES,
    Listing,
    SourceItem,
    SourceSpec,
    fingerprint,
)
from thawline.components.shared.errors import DataError
from thawline.components.shared.splits import SPLITS

IMAGE_SUFFIXES = frozenset({
    'jpg', 'jpeg', 'jpe', 'jfif', 'png', 'bmp', 'dib', 'gif', 'webp', 'tif', 'tiff', 'mpo', 'avif',
    'apng',
})  # fmt: skip
# Images, but not of a kind that is read: worth a better word than "not an image".
OTHER_IMAGE_SUFFIXES = frozenset({
    'heic', 'heif', 'ico', 'icns', 'psd', 'eps', 'svg', 'pdf', 'jp2', 'j2k', 'jpx', 'jxl', 'raw',
    'cr2', 'cr3', 'nef', 'arw', 'dng', 'dcm', 'tga', 'ppm', 'pgm', 'pbm', 'exr', 'hdr', 'xcf',
})  # fmt: skip


def read(spec: SourceSpec) -> Listing:
    """Lists a folder source.

    Raises:
      DataError: no such folder, not readable, empty, or without images.
    """
    root = storage.absolute(spec.source)
    tree = storage.tree(root)
    if not tree.entries:
        raise DataError(f'The folder {root} is empty (hidden files ignored: {tree.ignored}).')
    images, rejected = _sort_out(tree.entries)
    if not images:
        raise DataError(
            f'The folder {root} has no images, but {_suffixes(tree.entries)}. '
            f'Images are recognised by their suffix: {", ".join(sorted(IMAGE_SUFFIXES))}. If they '
            'are listed in a CSV or packed in TFRecords, name those files as data.source.'
        )
    notes = []
    if rejected:
        used = set(images)
        listed = _suffixes([e for e in tree.entries if e not in used])
        notes.append(f'{len(rejected)} files are not images by their suffix ({listed})')
    layout = _split_layout(images)
    items = []
    for entry in images:
        parts = entry.relative.split('/')
        split = layout.get(parts[0])
        names = parts[1:] if layout else parts
        if len(names) < 2:
            rejected.append(Rejected(entry.relative, NO_CLASS_FOLDER, _where(split)))
            continue
        items.append(SourceItem(entry.path, entry.relative, names[0], split))
    if not items:
        raise DataError(
            f'The folder {root} has {len(images)} images but no class folders. Put the images of '
            'each class into a folder of its own (cat/1.jpg, dog/2.jpg), or name a CSV with '
            'their labels as data.source.'
        )
    if layout:
        notes.append(_layout_note(layout, {i.split for i in items if i.split}))
    return Listing(tuple(items), tuple(rejected), tuple(notes), (), fingerprint(list(tree.entries)))


def _sort_out(
    entries: tuple[storage.Entry, ...],
) -> tuple[list[storage.Entry], list[Rejected]]:
    images, rejected = [], []
    for entry in entries:
        suffix = _suffix(entry.relative)
        # A name without a suffix may be an image; its content will tell.
        if suffix in IMAGE_SUFFIXES or not suffix:
            images.append(entry)
        elif suffix in OTHER_IMAGE_SUFFIXES:
            rejected.append(Rejected(entry.relative, UNSUPPORTED, f'.{suffix}'))
        else:
            rejected.append(Rejected(entry.relative, NOT_AN_IMAGE, f'by its suffix .{suffix}'))
    if not any(_suffix(e.relative) for e in images):
        # Only names without a suffix, as in a source tree or a .git-like store: look inside.
        plausible = [e for e in images if '/' in e.relative]
        rejected += [
            Rejected(e.relative, NOT_AN_IMAGE, 'no suffix') for e in images if e not in plausible
        ]
        images = plausible
    return images, rejected


def _suffix(path: str) -> str:
    name = path.rpartition('/')[2]
    return name.rpartition('.')[2].lower() if '.' in name else ''


def _suffixes(entries: list[storage.Entry] | tuple[storage.Entry, ...]) -> str:
    counts = collections.Counter(_suffix(e.relative) for e in entries)
    return ', '.join(f'{n} x .{s}' if s else f'{n} without' for s, n in counts.most_common(5))


def _split_layout(images: list[storage.Entry]) -> dict[str, str]:
    """First-level folder -> split, when the first level is a train/val/test layout, else empty.

    It is one only if every folder with images is named like a split, train is among them, and
    there are class folders below: a class may well be called 'train' (beside 'bus' and 'car').
    """
    paths = [e.relative.split('/') for e in images]
    tops = {parts[0] for parts in paths if len(parts) > 1}
    layout = {top: SPLIT_ALIASES[top.lower()] for top in tops if top.lower() in SPLIT_ALIASES}
    complete = len(layout) == len(tops) and 'train' in layout.values()
    return layout if complete and any(len(parts) > 2 for parts in paths) else {}


def _where(split: str | None) -> str:
    return f'directly in the {split} folder' if split else 'directly in the source folder'


def _layout_note(layout: dict[str, str], used: set[str]) -> str:
    folders = ', '.join(f'{top}/ is {layout[top]}' for top in sorted(layout))
    absent = [s for s in SPLITS if s not in used]
    if not absent:
        return f'the given splits are kept: {folders}'
    return f'the given splits are kept: {folders}; {" and ".join(absent)} is taken out of train'
