"""The file of a YOLO folder that names its classes, and the folders or lists of its splits.

`data.yaml` of Ultralytics and Roboflow, `obj.data` of Darknet, or `classes.txt` of Label Studio.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import posixpath
import re
from collections.abc import Mapping
from typing import Any

import yaml

from thawline.components.ingestion import storage
from thawline.components.ingestion.source_types import SPLIT_ALIASES
from thawline.components.shared.errors import DataError

CONFIG_FILES = ('data.yaml', 'data.yml', 'dataset.yaml')
_DARKNET_FILE = 'obj.data'
CLASSES_FILE = 'classes.txt'
IMAGES, LABELS = 'images', 'labels'
_KEYS = ('train', 'val', 'valid', 'test')


@dataclasses.dataclass(frozen=True)
class YoloConfig:
    """Names by index, folders or lists of pictures by split, and whether lines have key points."""

    names: Mapping[int, str]
    folders: Mapping[str | None, tuple[str, ...]]
    has_key_points: bool = False


def find_config(folder: str) -> str | None:
    """The file that names the classes, in a local folder."""
    for name in CONFIG_FILES:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and _names_classes(path):
            return path
    darknet = os.path.join(folder, _DARKNET_FILE)
    if os.path.isfile(darknet):
        return darknet
    path = os.path.join(folder, CLASSES_FILE)
    has_both = all(os.path.isdir(os.path.join(folder, name)) for name in (IMAGES, LABELS))
    return path if os.path.isfile(path) and has_both else None


def _names_classes(path: str) -> bool:
    try:
        with open(path, 'rb') as file:
            text = file.read().replace(b'\0', b'')  # UTF-16 is refused when it is read
    except OSError:
        return False
    keys = set(re.findall(rb'^(?:\xef\xbb\xbf|\xff\xfe)?(\w+)\s*:', text, re.MULTILINE))
    return bool(keys & {b'names', b'nc'}) or {b'train', b'val'} <= keys


def read_config(path: str) -> YoloConfig:
    """Reads such a file.

    Raises:
        DataError: it is missing, no YAML, without names, or names a class twice; a folder that it
            names is missing, or given to two splits.
    """
    base = storage.parent(path)
    text = read_text(path)
    if posixpath.basename(path.replace(os.sep, '/')) != CLASSES_FILE:
        return _parse(_settings(text, path, base), path, base)
    names = [line.strip() for line in text.splitlines() if line.strip()]
    return YoloConfig(_unique(dict(enumerate(names)), path), {None: (base,)})


def read_text(path: str, name: str = '') -> str:
    """A text file of YOLO.

    Raises:
        DataError: it is missing, or not UTF-8; the error calls it `name`.
    """
    try:
        return storage.read_required(path).decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise DataError(f'{name or path} is not UTF-8: {error}.') from error


def _settings(text: str, path: str, base: str) -> dict[str, Any]:
    """The keys of `data.yaml`, or of Darknet's `obj.data`."""
    if path.endswith('.data'):
        pairs = (line.partition('=') for line in text.splitlines() if '=' in line)
        settings: dict[str, Any] = {key.strip(): value.strip() for key, _, value in pairs}
        if 'names' in settings:
            names = _folder(settings['names'], None, path, base, 'names')
            settings['names'] = read_text(names).split('\n')
            settings['names'] = [name.strip() for name in settings['names'] if name.strip()]
        return settings
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DataError(f'{path} is not YAML: {" ".join(str(error).split())}.') from error
    if not isinstance(parsed, dict):
        raise DataError(f'{path} must have the keys names, train and val. Received: {text[:80]!r}')
    return parsed


def _parse(parsed: Mapping[str, Any], path: str, base: str) -> YoloConfig:
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
    return YoloConfig(names, folders, bool(parsed.get('kpt_shape')))


def _unique(names: Mapping[int, str], path: str) -> Mapping[int, str]:
    twice = [name for name, n in collections.Counter(names.values()).items() if n > 1]
    if twice:
        raise DataError(f'{path}: names has {twice[0]!r} twice. Give each class its own name.')
    return names


def _folder(value: str, root: Any, path: str, base: str, key: str) -> str:
    """The folder or list of files of a split: below `path`, or, where that was elsewhere, here."""
    if storage.is_remote(value):
        return value
    # Roboflow writes ../train/images for train/images, Darknet data/train.txt for train.txt.
    plain = value.replace('\\', '/')
    below = [plain, plain.removeprefix('../'), plain.removeprefix('data/')]
    roots = [storage.join(base, str(root)), base] if root else [base]
    candidates = [storage.join(r, v) for r in roots for v in below]
    # In full, the way of another machine: its end may be here.
    parts = posixpath.normpath(re.sub('^[A-Za-z]:', '', plain)).lstrip('/').split('/')
    is_full = plain.startswith('/') or plain[1:2] == ':'
    ends = ['/'.join(parts[i:]) for i in range(1, len(parts) - 1)] + parts[-1:]
    if parts[-1] not in SPLIT_ALIASES:
        ends.pop()
    candidates += [storage.join(base, end) for end in ends if is_full]
    for candidate in candidates:
        if storage.exists(candidate):
            return candidate if storage.is_remote(candidate) else os.path.normpath(candidate)
    raise DataError(
        f'{path}: {key}: {value!r} does not exist; looked for '
        f'{", ".join(dict.fromkeys(candidates))}.'
    )
