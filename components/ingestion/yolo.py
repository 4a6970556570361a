"""YOLO: boxes of text files beside the pictures, each an image of its class.

`data.yaml` names the classes and the folders (or lists) of the splits; `labels/a.txt` has the boxes
of `images/a.jpg`, a line each: class index, centre x, centre y, width and height, as shares of the
picture, or the points of a polygon, whose bounding box is taken
(https://docs.ultralytics.com/datasets/detect and .../segment). Label Studio's export has
`classes.txt` in place of `data.yaml`.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion import storage
from thawline.components.ingestion.box_listing import Annotation, BoxListing
from thawline.components.ingestion.boxes import Box
from thawline.components.ingestion.folder import IMAGE_SUFFIXES
from thawline.components.ingestion.manifest_files import ManifestFiles
from thawline.components.ingestion.source_types import SPLIT_ALIASES, Listing, SourceSpec
from thawline.components.shared.errors import DataError, from_os_error

CONFIG_FILES = ('data.yaml', 'data.yml', 'dataset.yaml')
CLASSES_FILE = 'classes.txt'
_KEYS = ('train', 'val', 'valid', 'test')
_IMAGES, _LABELS = 'images', 'labels'


def find_config(folder: str) -> str | None:
    """The file that names the classes, in a local folder."""
    for name in CONFIG_FILES:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and _names_classes(path):
            return path
    path = os.path.join(folder, CLASSES_FILE)
    has_both = all(os.path.isdir(os.path.join(folder, name)) for name in (_IMAGES, _LABELS))
    return path if os.path.isfile(path) and has_both else None


def _names_classes(path: str) -> bool:
    try:
        with open(path, encoding='utf-8') as file:
            return any(line.startswith('names') for line in file)
    except (OSError, UnicodeDecodeError):
        return False


@dataclasses.dataclass(frozen=True)
class _Classes:
    """What `data.yaml` says: names by index, folders by split, numbers of a key point."""

    names: Mapping[int, str]
    folders: Mapping[str | None, tuple[str, ...]]
    has_key_points: bool = False


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
    content = _content(path)
    base = storage.parent(path)
    listing = BoxListing(spec.source)
    listing.add_file(content)
    if posixpath.basename(path.replace(os.sep, '/')) == CLASSES_FILE:
        names = [line.strip() for line in _text(content, path).splitlines() if line.strip()]
        classes = _Classes(_unique(dict(enumerate(names)), path), {None: (base,)})
    else:
        classes = _parse(_text(content, path), path, base)
    for split, folders in classes.folders.items():
        for place in folders:
            read_place = _read_list if place.endswith('.txt') else _read_folder
            read_place(place, base, split, classes, listing)
    return listing.listing()


def _content(path: str) -> bytes:
    if storage.stat(path) is None:
        raise storage.missing_error(path, 'The file')
    try:
        return storage.read(path)
    except OSError as error:
        raise from_os_error(error, f'{path} cannot be read', DataError) from error


def _text(content: bytes, path: str) -> str:
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise DataError(f'{path} is not UTF-8: {error}.') from error


def _parse(text: str, path: str, base: str) -> _Classes:
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DataError(f'{path} is not YAML: {" ".join(str(error).split())}.') from error
    if not isinstance(parsed, dict):
        raise DataError(f'{path} must have the keys names, train and val. Received: {text[:80]!r}')
    written = parsed.get('names')
    names = dict(enumerate(written)) if isinstance(written, list) else written
    if not isinstance(names, dict) or not names or not all(isinstance(k, int) for k in names):
        raise DataError(
            f'{path}: names must list the classes, as in names: [ant, bee] or names: '
            f'{{0: ant, 1: bee}}. Received: {written!r}.'
        )
    if odd := [name for name in names.values() if isinstance(name, bool)]:
        raise DataError(f'{path}: YAML reads one of names as {odd[0]}; put it into quotes.')
    folders: dict[str | None, tuple[str, ...]] = {}
    for key in _KEYS:
        if parsed.get(key):
            values = parsed[key] if isinstance(parsed[key], list) else [parsed[key]]
            folders[SPLIT_ALIASES[key]] = tuple(
                _folder(str(value), parsed.get('path'), path, base, key) for value in values
            )
    if not folders:
        raise DataError(f'{path} names no folder of pictures: it has none of train, val, test.')
    places = [folder for of_split in folders.values() for folder in of_split]
    if twice := [f for f, n in collections.Counter(places).items() if n > 1]:
        raise DataError(
            f'{path}: {twice[0]} is given to more than one split, so images to learn from would be '
            'those to be judged by. Keep the key train alone; the split is then made from it.'
        )
    names = _unique({index: str(name).strip() for index, name in names.items()}, path)
    if list(folders) == ['train']:  # all there is, to be split here
        folders = {None: folders['train']}
    return _Classes(names, folders, bool(parsed.get('kpt_shape')))


def _unique(names: Mapping[int, str], path: str) -> Mapping[int, str]:
    twice = [name for name, n in collections.Counter(names.values()).items() if n > 1]
    if twice:
        raise DataError(f'{path}: names has {twice[0]!r} twice. Give each class its own name.')
    return names


def _folder(value: str, root: Any, path: str, base: str, key: str) -> str:
    """The folder or list of files of a split: below `path`, or, where that was elsewhere, here."""
    if storage.is_remote(value):
        return value
    # Roboflow writes ../train/images for train/images.
    plain = value.replace('\\', '/')
    below = [plain, plain.removeprefix('../')]
    roots = [storage.join(base, str(root)), base] if root else [base]
    candidates = [storage.join(r, v) for r in roots for v in below]
    for candidate in candidates:
        if storage.is_remote(candidate) or os.path.exists(candidate):
            return os.path.normpath(candidate) if '://' not in candidate else candidate
    raise DataError(
        f'{path}: {key}: {value!r} does not exist; looked for '
        f'{", ".join(dict.fromkeys(candidates))}.'
    )


def _read_folder(
    folder: str, base: str, split: str | None, classes: _Classes, listing: BoxListing
) -> None:
    """Adds the pictures below a folder, with the boxes of their text files."""
    pictures: dict[str, storage.Entry] = {}
    texts: dict[str, storage.Entry] = {}
    for place in dict.fromkeys((folder, _mirrored(folder))):
        if place != folder and not (storage.is_remote(place) or os.path.isdir(place)):
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
    path: str, base: str, split: str | None, classes: _Classes, listing: BoxListing
) -> None:
    """Adds the pictures that a text file names, a line each."""
    content = _content(path)
    listing.add_file(content)
    name, files = _relative(path, base), ManifestFiles(base)
    for number, line in enumerate(_text(content, name).splitlines(), 1):
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
    head, separator, tail = f'{path}/'.replace(os.sep, '/').rpartition(f'/{_IMAGES}/')
    return f'{head}/{_LABELS}/{tail}'.rstrip('/') if separator else path


def _relative(path: str, base: str) -> str:
    if storage.is_remote(path):
        return path.removeprefix(base).lstrip('/')
    return os.path.relpath(path, base).replace(os.sep, '/')


def _annotations(
    entry: storage.Entry, base: str, classes: _Classes, listing: BoxListing
) -> list[Annotation]:
    content = _content(entry.path)
    listing.add_file(content)
    name = _relative(entry.path, base)
    return list(_lines(_text(content, name), name, classes))


def _lines(text: str, name: str, classes: _Classes) -> Iterator[Annotation]:
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


def _box(values: Sequence[float], classes: _Classes) -> Box:
    if len(values) == 4 or classes.has_key_points:
        x, y, width, height = values[:4]
        return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, (1, 1))
    return Box.around(values, (1, 1))
