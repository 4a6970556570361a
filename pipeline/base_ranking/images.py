"""Samples the images that ingestion wrote."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from thawline.components.shared import tf_data
from thawline.components.shared.errors import DataError
from thawline.components.shared.labelled_set import LabelledSet

_STRINGS = ('image_id', 'label', 'group', 'cluster')


@dataclasses.dataclass(frozen=True)
class ImageSample:
    """Images in the order of their ids.

    Attributes:
        images: their values are the encoded bytes, object [N]; labels are positions in `classes`.
        groups: object (str) [N], clusters of groups that share an image or near-duplicates.
        classes: names in alphabetical order.
        available: labelled images in the splits.
    """

    images: LabelledSet
    groups: np.ndarray
    classes: tuple[str, ...]
    available: int


def stratified_sample(labels: np.ndarray, count: int, seed: int, at_least: int) -> np.ndarray:
    """Draws a stratified random sample: labels int [N] -> rows int [n], n <= count.

    Args:
        labels: of all images.
        count: most rows.
        seed: of the sample.
        at_least: images that each class gets first (or all it has), so that rare classes remain.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    rank = np.empty(len(labels), np.int64)
    size = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        rank[members] = np.arange(len(members))
        size[members] = len(members)
    # Ordered by their relative place within the class, images of all classes are drawn evenly.
    place = (rank + 0.5) / size
    order = np.lexsort((shuffled, place, rank >= at_least))
    return np.sort(order[:count])


def load_sample(
    folders: Sequence[pathlib.Path], count: int, seed: int, at_least: int
) -> ImageSample:
    """Reads a stratified sample of some splits of gzipped tf.Examples.

    Makes two passes, so that only the sampled images are in memory. Unlabelled images are skipped.

    Args:
        folders: of the splits.
        count, seed, at_least: see `stratified_sample`.

    Raises:
        DataError: there are fewer than two classes, or no labelled image.
    """
    files = sorted(str(file) for folder in folders for file in folder.glob('*.gz'))
    spec = {name: tf.io.FixedLenFeature([], tf.string, '') for name in _STRINGS}
    rows: list[tuple[bytes, str, str]] = [
        (row[0], row[1].decode(), (row[3] or row[2]).decode())  # no cluster in older examples
        for batch in tf_data.batches(files, 64)
        .map(lambda examples: tuple(tf.io.parse_example(examples, spec)[n] for n in _STRINGS))
        .as_numpy_iterator()
        for row in zip(*batch, strict=True)
    ]
    rows = sorted(row for row in rows if row[1])
    if not rows:
        where = ' and '.join(map(str, folders))
        raise DataError(
            f'a comparison of bases needs labels; there is no labelled image in {where}'
        )
    ids, names, groups = (np.array(column, dtype=object) for column in zip(*rows, strict=True))
    classes, labels = np.unique(names.astype(str), return_inverse=True)
    if len(classes) < 2:
        raise DataError(
            f'a comparison of bases needs at least two classes; all {len(rows)} images '
            f'are {classes[0]!r}'
        )
    chosen = stratified_sample(labels, count, seed, at_least)
    images = LabelledSet(
        _read_images(files, ids[chosen]), labels[chosen].astype(np.int64), ids[chosen]
    )
    return ImageSample(images, groups[chosen], tuple(classes.tolist()), len(rows))


def _read_images(files: list[str], ids: np.ndarray) -> np.ndarray:
    """The encoded images with these ids, in their order."""
    remaining = set(ids)
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in ('image_id', 'image')}
    images = {}
    parsed = tf_data.batches(files, 64, lambda examples: tf.io.parse_example(examples, spec))
    for batch in parsed.as_numpy_iterator():
        for identity, image in zip(batch['image_id'], batch['image'], strict=True):
            if identity in remaining:
                images[identity] = image
    # Copies of a file share its id and its bytes.
    encoded = np.empty(len(ids), object)
    encoded[:] = [images[identity] for identity in ids]
    return encoded
