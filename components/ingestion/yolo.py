"""YOLO: boxes of text files beside the pictures, each an image of its class.

`data.yaml` names the classes and the folders (or lists) of the splits; `labels/a.txt` has the boxes
of `images/a.jpg`, a line each: class index, centre x, centre y, width and height, as shares of the
picture, or the points of a polygon, whose bounding box is taken
(https://docs.ultralytics.com/datasets/detect and .../segment). Label Studio's export has
`classes.txt` in place of `data.yaml`, Darknet's (CVAT's "YOLO 1.1") `obj.data`.
"""

from __future__ import annotations

import dataclasses
import math
import os
import posixpath
from collections.abc import Iterator, Sequence

from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion import storage
from thawline.components.ingestion.box_listing import Annotation, BoxListing
from thawline.components.ingestion.boxes import Box
from thawline.components.ingestion.folder import IMAGE_SUFFIXES
from thawline.components.ingestion.manifest_files import ManifestFiles
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.ingestion.yolo_config import (
    CLASSES_FILE,
    CONFIG_FILES,
    IMAGES,
    LABELS,
    YoloConfig,
    find_config,
    read_config,
    read_text,
)
from thawline.components.shared.errors import DataError


def read(spec: SourceSpec) -> Listing:
    """Lists the boxes.

    Raises:
        DataError: a file or folder is missing, no YAML, without names, or names a class twice; a
            line has a class that it does not name; nothing usable is left.
    """
    source = storage.absolute(spec.source)
    path = source
    if not storage.is_remote(source) and os.path.isdir(source):
        path = find_config(source) or os.path.join(source, CONFIG_FILES[0])
    base = storage.parent(path)
    listing = BoxListing(spec.source)
    listing.add_file(storage.read_required(path))
    classes = read_config(path)
    for split, folders in classes.folders.items():
        for place in folders:
            read_place = _read_list if place.endswith('.txt') else _read_folder
            read_place(place, base, split, classes, listing)
    return listing.listing()


def _read_folder(
    folder: str, base: str, split: str | None, classes: YoloConfig, listing: BoxListing
) -> None:
    """Adds the pictures below a folder, with the boxes of their text files."""
    pictures: dict[str, storage.Entry] = {}
    texts: dict[str, storage.Entry] = {}
    for place in dict.fromkeys((folder, _mirrored(folder))):
        if place != folder and not storage.exists(place):
            continue
        for entry in storage.tree(place).entries:
            stem, _, suffix = entry.path.rpartition('.')
            if suffix.lower() in IMAGE_SUFFIXES:
                pictures[entry.path] = entry
            elif suffix.lower() == 'txt' and posixpath.basename(entry.relative) != CLASSES_FILE:
                texts[stem] = entry
    used = set()
    for path, entry in sorted(pictures.items()):
        stem = path.rpartition('.')[0]
        text = next((t for t in (_mirrored(stem), stem) if t in texts), None)
        annotations = []
        if text:
            used.add(text)
            annotations = _annotations(texts[text], base, classes, listing)
        relative = _relative(path, base)
        listing.add_picture(dataclasses.replace(entry, relative=relative), split, annotations)
    for stem in sorted(texts.keys() - used):
        for annotation in _annotations(texts[stem], base, classes, listing):
            name = f'{_relative(texts[stem].path, base)}#{annotation.key}'
            listing.reject(name, annotation, reasons.MISSING_FILE, 'no picture of that name')


def _read_list(
    path: str, base: str, split: str | None, classes: YoloConfig, listing: BoxListing
) -> None:
    """Adds the pictures that a text file names, a line each."""
    name, files = _relative(path, base), ManifestFiles(base)
    listed = read_text(path, name)
    listing.add_file(listed.encode())
    for number, line in enumerate(listed.splitlines(), 1):
        if not (written := line.strip()):
            continue
        file = files.find(written)
        if isinstance(file, str):  # CVAT writes data/ before the paths of its archive
            file = files.find(written.removeprefix('data/'))
        if isinstance(file, str):
            where = Annotation(f'line{number}', f'{name}, line {number}')
            listing.reject(written, where, file, '')
            continue
        stem = file.path.rpartition('.')[0]
        texts = (storage.stat(f'{place}.txt') for place in (_mirrored(stem), stem))
        text = next(filter(None, texts), None)
        annotations = _annotations(text, base, classes, listing) if text else []
        relative = _relative(file.path, base)
        listing.add_picture(dataclasses.replace(file, relative=relative), split, annotations)


def _mirrored(path: str) -> str:
    """`labels` for the last folder `images` of a path."""
    head, separator, tail = f'{path}/'.replace(os.sep, '/').rpartition(f'/{IMAGES}/')
    return f'{head}/{LABELS}/{tail}'.rstrip('/') if separator else path


def _relative(path: str, base: str) -> str:
    if storage.is_remote(path):
        return path.removeprefix(base).lstrip('/')
    return os.path.relpath(path, base).replace(os.sep, '/')


def _annotations(
    entry: storage.Entry, base: str, classes: YoloConfig, listing: BoxListing
) -> list[Annotation]:
    name = _relative(entry.path, base)
    text = read_text(entry.path, name)
    listing.add_file(text.encode())
    return list(_lines(text, name, classes))


def _lines(text: str, name: str, classes: YoloConfig) -> Iterator[Annotation]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f'{name}, line {number}'
        index, values = _values(line)
        if index is None or not _is_shape(values, classes.has_key_points):
            detail = f'class x y width height, or class and points, are expected: {line[:80]!r}'
            problem = (reasons.MALFORMED_ROW, detail)
            yield Annotation(f'line{number}', where, problem=problem)
            continue
        if index not in classes.names:
            raise DataError(
                f'{where}: there is no class {index}; names has {len(classes.names)} classes, '
                f'{min(classes.names)} to {max(classes.names)}. Received: {line[:80]!r}.'
            )
        yield Annotation(f'line{number}', where, classes.names[index], _box(values, classes))


def _values(line: str) -> tuple[int | None, list[float]]:
    written, *rest = line.split()
    try:
        index, values = int(written), [float(value) for value in rest]
    except ValueError:
        return None, []
    return (index, values) if all(map(math.isfinite, values)) else (None, [])


def _is_shape(values: Sequence[float], has_key_points: bool) -> bool:
    if has_key_points:
        return len(values) >= 4
    return len(values) == 4 or (len(values) >= 6 and len(values) % 2 == 0)


def _box(values: Sequence[float], classes: YoloConfig) -> Box:
    if len(values) == 4 or classes.has_key_points:
        x, y, width, height = values[:4]
        return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, (1, 1))
    return Box.around(values, (1, 1))
