"""FiftyOne: a FiftyOneImageClassificationDataset, and a folder a class as other tools export, too.

https://docs.voxel51.com/user_guide/export_datasets.html
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from thawline.components.shared.errors import DataError
from thawline.pipeline.labels.exchange import (
    LEAVE_OUT,
    Answer,
    QueuedImage,
    image_id_in,
    label_of,
)

_UNLABELLED = '_unlabeled'


def labels_json(queue: Sequence[QueuedImage], classes: Sequence[str]) -> str:
    """`labels.json` of the dataset; images lie in `data/` under their ids."""
    names = [*classes, LEAVE_OUT]
    targets = {i.image_id: names.index(i.label) if i.label in names else None for i in queue}
    return json.dumps({'classes': names, 'labels': targets}, ensure_ascii=False, indent=1)


def is_export(content: Any) -> bool:
    """Whether parsed JSON looks like such a file."""
    return isinstance(content, dict) and isinstance(content.get('labels'), dict)


def read(content: Any, name: str) -> Iterator[Answer]:
    """The labels of a `labels.json`.

    Raises:
        DataError: a key is no image id, or a target is no class.
    """
    classes = content.get('classes') or []
    for key, target in content['labels'].items():
        where = f'{name}, {key}'
        image_id = image_id_in(key)
        if not image_id:
            raise DataError(f'{where} is no image id; use the labels.json of an exported queue.')
        if isinstance(target, dict):
            target = target.get('label')
        if isinstance(target, int):
            if not 0 <= target < len(classes):
                raise DataError(f'{where} has the target {target}, but {len(classes)} classes.')
            target = classes[target]
        if target is not None:
            yield Answer(image_id, label_of(str(target)), '', '', where, False)


def read_tree(files: Iterable[str], name: str) -> Iterator[Answer]:
    """The labels of a folder a class, also of CVAT's "ImageNet", by the paths of its files.

    Raises:
        DataError: a file has no image id in its name.
    """
    for file in sorted(files):
        path = pathlib.PurePosixPath(file)
        if path.name.startswith('.') or len(path.parts) < 2 or path.suffix == '.txt':
            continue
        image_id = image_id_in(path.stem)
        if not image_id:
            raise DataError(f'{name}, {file} has no image id in its name.')
        if path.parent.name != _UNLABELLED:
            yield Answer(image_id, label_of(path.parent.name), '', '', f'{name}, {file}', False)
