"""COCO: boxes of `instances.json`, each an image of its category.

https://cocodataset.org/#format-data. Read as Roboflow, CVAT and Label Studio write it, too: a file
for each split in its folder (`train/_annotations.coco.json`), or with the split in its name
(`annotations/instances_train2017.json`).
"""

from __future__ import annotations

import collections
import dataclasses
import json
import math
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from thawline.components.ingestion import folder_layout, storage
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.box_listing import Annotation, BoxListing
from thawline.components.ingestion.boxes import Box
from thawline.components.ingestion.manifest_files import ManifestFiles
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.shared.errors import DataError

_PARTS = ('images', 'annotations', 'categories')
_HEAD = 65_536  # bytes that show whether a JSON is COCO


def is_annotations(path: str) -> bool:
    """Whether a local file looks like COCO."""
    try:
        with open(path, 'rb') as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    keys = set(re.findall(rb'"(\w+)"\s*:', head))
    # With sorted keys, annotations alone fill the beginning of a large file.
    return head.lstrip(b'\xef\xbb\xbf \r\n\t').startswith(b'{') and (
        b'images' in keys or {b'annotations', b'categories'} <= keys
        or {b'annotations', b'image_id', b'category_id'} <= keys
    )  # fmt: skip


def find_files(folder: str) -> list[str]:
    """Files of annotations in a local folder, in `annotations/`, or in folders of splits."""
    files = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        is_folder = os.path.isdir(path)
        if is_folder and (name == 'annotations' or folder_layout.split_word(name)):
            files += [os.path.join(path, inner) for inner in sorted(os.listdir(path))]
        elif not is_folder:
            files.append(path)
    files = [path for path in files if path.lower().endswith('.json') and is_annotations(path)]
    # COCO's own folder has captions and key points of the same pictures, too.
    return [path for path in files if 'instances' in os.path.basename(path)] or files


def read(spec: SourceSpec) -> Listing:
    """Lists the boxes of a file, or of all files of a folder.

    Raises:
        DataError: it is missing, damaged or not COCO; a category or picture occurs twice; a
            category is not known; nothing usable is left.
    """
    source = storage.absolute(spec.source)
    is_folder = not storage.is_remote(source) and os.path.isdir(source)
    files = find_files(source) if is_folder else [source]
    if not files:
        raise DataError(
            f'{source} has no JSON of COCO, neither itself nor in annotations/, train/, valid/ or '
            'test/. Name the file as data.source.'
        )
    listing = BoxListing(spec.source)
    base = source if is_folder else storage.parent(source)
    for path in files:
        _read_file(path, base, spec, len(files) > 1, listing)
    return listing.listing()


def _read_file(
    path: str, base: str, spec: SourceSpec, has_splits: bool, listing: BoxListing
) -> None:
    name = path.removeprefix(base).lstrip('/\\').replace(os.sep, '/')
    content = storage.read_required(path)
    listing.add_file(content)
    parsed = _parse(content, name)
    split = folder_layout.split_word(name) if has_splits else None
    categories = _categories(parsed['categories'], name)
    pictures = _pictures(parsed['images'], name)
    annotations = _annotations(parsed['annotations'], categories, pictures, name, listing)
    names = [picture.file for picture in pictures.values()]
    root = storage.absolute(spec.root) if spec.root else _image_folder(path, names)
    files = ManifestFiles(root)
    below = '' if spec.root else _below(base, root)
    for number, picture in pictures.items():
        of_picture = annotations[number]
        file = files.find(picture.file)
        if isinstance(file, str):
            for annotation in of_picture:
                where = f'{annotation.where}: {picture.file!r} in {root}'
                listing.reject(
                    f'{picture.file}#{annotation.key}',
                    dataclasses.replace(annotation, where=where), file, '',
                )  # fmt: skip
            continue
        relative = posixpath.join(below, file.relative)
        listing.add_picture(dataclasses.replace(file, relative=relative), split, of_picture)


def _below(base: str, folder: str) -> str:
    """The path of a folder from `base` on; '' where it is not below it."""
    is_below = folder.startswith(base.rstrip('/\\') + os.sep) or folder.startswith(f'{base}/')
    return folder.removeprefix(base).strip('/\\').replace(os.sep, '/') if is_below else ''


def _parse(content: bytes, name: str) -> Mapping[str, list[Any]]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f'{name} is damaged JSON: {error}. Export it again.') from error
    for key in _PARTS:
        if not isinstance(parsed, dict) or not isinstance(parsed.get(key), list):
            raise DataError(
                f'{name} is not COCO: it has no list {key!r}, beside {", ".join(_PARTS)}.'
            )
    return parsed


def _categories(entries: list[Any], name: str) -> dict[Any, str]:
    """{category id: name}."""
    categories: dict[Any, str] = {}
    for position, entry in enumerate(entries):
        where = f'{name}, categories[{position}]'
        number, label = _fields(entry, ('id', 'name'), where)
        if number in categories:
            raise DataError(f'{where}: the id {number!r} occurs twice.')
        if str(label) in categories.values():
            raise DataError(
                f'{where}: the name {label!r} occurs twice. Boxes are images of the class that '
                'their category is named after: give each its own name.'
            )
        categories[number] = str(label)
    return categories


@dataclasses.dataclass(frozen=True)
class _Picture:
    file: str
    size: tuple[float, float] | None


def _pictures(entries: list[Any], name: str) -> dict[Any, _Picture]:
    """{image id: picture}."""
    pictures: dict[Any, _Picture] = {}
    names: set[str] = set()
    for position, entry in enumerate(entries):
        where = f'{name}, images[{position}]'
        number, file = _fields(entry, ('id', 'file_name'), where)
        if number in pictures:
            raise DataError(f'{where}: the id {number!r} occurs twice.')
        if str(file) in names:
            raise DataError(f'{where}: the file_name {file!r} occurs twice.')
        names.add(str(file))
        sides = _numbers([entry.get('width'), entry.get('height')])
        size = (sides[0], sides[1]) if sides and min(sides) > 0 else None
        pictures[number] = _Picture(str(file), size)
    return pictures


def _annotations(
    entries: list[Any],
    categories: Mapping[Any, str],
    pictures: Mapping[Any, _Picture],
    name: str,
    listing: BoxListing,
) -> Mapping[Any, list[Annotation]]:
    """{image id: annotations}; those of no picture go to the listing's rejected ones."""
    by_picture: dict[Any, list[Annotation]] = collections.defaultdict(list)
    ids = collections.Counter(str(e.get('id')) for e in entries if isinstance(e, dict))
    for position, entry in enumerate(entries):
        where = f'{name}, annotations[{position}]'
        number, category = _fields(entry, ('image_id', 'category_id'), where)
        key = str(entry.get('id'))
        if entry.get('id') is None:
            key = f'{position}'
        elif ids[key] > 1:
            raise DataError(f'{where}: the id {key} occurs {ids[key]} times.')
        if category not in categories:
            known = ', '.join(map(repr, categories)) or 'none'
            raise DataError(
                f'{where}: category_id {category!r} is no id of a category. Known: {known}.'
            )
        if number not in pictures:
            annotation = Annotation(key, where, categories[category])
            detail = f'image_id {number!r} is no id of an image'
            listing.reject(f'{name}#{key}', annotation, reasons.MISSING_FILE, detail)
            continue
        box, problem = _box(entry, pictures[number].size)
        by_picture[number].append(Annotation(key, where, categories[category], box, problem))
    return by_picture


def _box(
    entry: Mapping[str, Any], size: tuple[float, float] | None
) -> tuple[Box | None, tuple[str, str] | None]:
    """The box of an annotation, or what is wrong with it."""
    if entry.get('iscrowd'):
        return None, (reasons.CROWD, 'iscrowd is 1')
    written = entry.get('bbox')
    numbers = _numbers(written)
    if numbers and len(numbers) == 4:
        left, top, width, height = numbers
        return Box(left, top, left + width, top + height, size), None
    if not written and isinstance(entry.get('segmentation'), list):
        points = [p for polygon in entry['segmentation'] for p in _numbers(polygon) or ()]
        if len(points) >= 6:
            return Box.around(points, size), None
    detail = f'bbox must be 4 numbers: left, top, width, height. Received: {written!r}'
    return None, (reasons.MALFORMED_ROW, detail[:200])


def _numbers(values: Any) -> list[float] | None:
    if not isinstance(values, list) or any(isinstance(v, (bool, str)) for v in values):
        return None
    try:
        numbers = [float(value) for value in values]
    except (TypeError, OverflowError):
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def _fields(entry: Any, keys: tuple[str, str], where: str) -> tuple[Any, Any]:
    for key in keys:
        if not isinstance(entry, dict) or not isinstance(entry.get(key), (int, str)):
            raise DataError(f'{where} has no {key!r}. Received: {json.dumps(entry)[:200]}')
    return entry[keys[0]], entry[keys[1]]


def _image_folder(path: str, names: list[str]) -> str:
    """The folder that has the pictures: that of the file, or a usual one beside it."""
    here = storage.parent(path)
    return next(
        (folder for folder in _candidates(path) if any(_is_there(folder, n) for n in names[:20])),
        here,
    )


def _candidates(path: str) -> Iterator[str]:
    here = storage.parent(path)
    stem = posixpath.splitext(posixpath.basename(path.replace(os.sep, '/')))[0]
    named = stem.rpartition('_')[2]  # instances_train2017 -> train2017
    for folder in (here, storage.parent(here)):
        for below in ('', 'images', named, f'images/{named}'):
            yield storage.join(folder, below) if below else folder


def _is_there(folder: str, name: str) -> bool:
    return storage.stat(storage.join(folder, name)) is not None
