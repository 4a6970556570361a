"""What the recipe takes of the images that it is given: those it can learn from, and checks."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from thawline.components.shared.errors import DataError
from thawline.components.shared.labelled_set import LabelledSet


def drop_unknown_classes(train: LabelledSet, val: LabelledSet) -> tuple[LabelledSet, LabelledSet]:
    """Drops images of classes that train lacks: they can be neither learnt nor scored."""
    return _drop_unknown(train, 'train'), _drop_unknown(val, 'val')


def _drop_unknown(data: LabelledSet, split: str) -> LabelledSet:
    rows = np.flatnonzero(data.labels >= 0)
    if len(rows) == len(data):
        return data
    logging.warning('%d %s images have a class that train lacks', len(data) - len(rows), split)
    return data.take(rows)


def check_classes(
    classes: tuple[str, ...],
    train: LabelledSet,
    val: LabelledSet,
    may_lack_classes: bool = False,
) -> None:
    """Refuses sets that nothing can be learned from, or judged by.

    Raises:
        DataError: a set has no image; train has one class alone, or lacks one that it may not.
    """
    for name, data in (('train', train), ('val', val)):
        if not len(data):
            raise DataError(f'the {name} split has no images; add images or raise its share')
    learnt = [name for label, name in enumerate(classes) if label in train.labels]
    if len(learnt) < 2:
        raise DataError(f'training needs at least two classes; the train split has only {learnt}')
    absent = sorted(set(classes) - set(learnt))
    if absent and not may_lack_classes:
        raise DataError(f'the train split has no images of {absent}; add some or drop the class')


def read_images(
    images: Callable[[], tuple[LabelledSet, LabelledSet]], train: LabelledSet, val: LabelledSet
) -> tuple[LabelledSet, LabelledSet]:
    """Reads the images of features; see `check_same`."""
    train_images, val_images = drop_unknown_classes(*images())
    check_same('train', train_images, train)
    check_same('val', val_images, val)
    return train_images, val_images


def check_same(name: str, images: LabelledSet, features: LabelledSet) -> None:
    """Refuses images that are not those of the features, in the same order.

    Raises:
        DataError: as said; `name` is that of the images.
    """
    if not np.array_equal(images.ids, features.ids):
        raise DataError(
            f'the {name} images and their embeddings do not match; recreate both with: '
            'thawline run --no-cache'
        )
