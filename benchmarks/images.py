"""The image sets that benchmarks measure on, and their splits.

Three folders with a folder a class, and the solar cells of the package elpv-dataset, listed as the
product lists them. Label rule of the solar cells: defective where the annotated probability of a
defect is above 0.5 (1,803 functional, 821 defective); 401 labels are sure to 2/3 only. Pixels are
decoded and resized by the product's own graph, in memory, for one size at a time; nothing is kept
on disk.

Splits are stratified by class and a pure function of (labels, seed), so that all competitors of a
seed see the same images at whatever size. Near-duplicates are not kept together, as
the product does, which is the same for all competitors.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib

import numpy as np
import sklearn.model_selection
import tensorflow as tf

from thawline.components.ingestion.source_types import PACKAGE_PREFIX, SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared import image_decoder
from thawline.components.shared.errors import DataError
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.transform import preprocessing

SOLAR = 'solar'
SETS = ('flowers5', 'trashnet', 'hymenoptera', SOLAR)
# The shares of the default project.
VAL = TEST = 0.15


@dataclasses.dataclass(frozen=True)
class Listed:
    """A set, listed but not read: labels int64 [N] are positions in `classes`.

    `confidence`, float32 [N], is the probability that a label is right.
    """

    name: str
    classes: tuple[str, ...]
    files: tuple[str, ...]
    labels: np.ndarray
    confidence: np.ndarray

    def __len__(self) -> int:
        return len(self.files)

    def pixels(self, size: int) -> np.ndarray:
        """Every image, decoded and stretched: uint8 [N, size, size, 3]."""
        decoded = tf.function(
            lambda path: preprocessing.resize(
                image_decoder.decode(tf.io.read_file(path)), size, 'stretch'
            ),
            input_signature=[tf.TensorSpec([], tf.string)],
        )
        read = tf.data.Dataset.from_tensor_slices(list(self.files))
        read = read.map(decoded, num_parallel_calls=tf.data.AUTOTUNE).prefetch(16)
        pixels = np.empty((len(self), size, size, 3), np.uint8)
        for i, one in enumerate(read.as_numpy_iterator()):
            pixels[i] = one
        return pixels


def listed(name: str, shared: pathlib.Path, limit: int | None = None) -> Listed:
    """Lists a set.

    Args:
        name: one of `SETS`.
        shared: has the folders in its folder `data`.
        limit: about so many images, the same number a class, for a quick look.

    Raises:
        DataError: there is no such folder, or it is no image set.
    """
    source = f'{PACKAGE_PREFIX}elpv_dataset' if name == SOLAR else str(shared / 'data' / name)
    items = [item for item in list_source(SourceSpec(source)).items if item.label is not None]
    if not items:
        raise DataError(f'{source} holds no labelled image')
    classes = tuple(sorted({str(item.label) for item in items}))
    labels = np.array([classes.index(str(item.label)) for item in items], np.int64)
    confidence = np.array([item.confidence or 1.0 for item in items], np.float32)
    rows = np.arange(len(items))
    if limit is not None:
        rows = few(labels, rows, math.ceil(limit / len(classes)), seed=0)
    files = tuple(items[row].path for row in rows)
    return Listed(name, classes, files, labels[rows], confidence[rows])


@dataclasses.dataclass(frozen=True)
class Rows:
    """Which images are in which split: int [n] each, ascending."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


@dataclasses.dataclass(frozen=True)
class Parts:
    """The three splits at one size."""

    train: LabelledSet
    val: LabelledSet
    test: LabelledSet


def split(labels: np.ndarray, seed: int, val: float = VAL, test: float = TEST) -> Rows:
    """Train, val and test, stratified.

    Args:
        labels: int [N].
        seed: of scikit-learn's `train_test_split`, which draws first what is not train, then test
            from that.
        val, test: shares of all images.
    """
    rows = np.arange(len(labels))
    held = [round(share * len(rows)) for share in (val, test)]
    train, rest = sklearn.model_selection.train_test_split(
        rows, test_size=sum(held), stratify=labels, random_state=seed
    )
    kept, tested = sklearn.model_selection.train_test_split(
        rest, test_size=held[1], stratify=labels[rest], random_state=seed
    )
    return Rows(np.sort(train), np.sort(kept), np.sort(tested))


def sample(labels: np.ndarray, rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """A stratified sample of some rows: int [count], ascending."""
    if count >= len(rows):
        return rows
    chosen, _ = sklearn.model_selection.train_test_split(
        rows, train_size=count, stratify=labels[rows], random_state=seed
    )
    return np.sort(chosen)


def few(labels: np.ndarray, rows: np.ndarray, each: int, seed: int) -> np.ndarray:
    """At most `each` rows of every class, ascending; fewer are always among more."""
    mixed = np.random.default_rng(seed).permutation(rows)
    return np.sort(
        np.concatenate([mixed[labels[mixed] == label][:each] for label in np.unique(labels)])
    )


def parts(pixels: np.ndarray, labels: np.ndarray, rows: Rows, confidence: np.ndarray) -> Parts:
    """The splits themselves; an image's id is its place in the list."""
    ids = np.array([f'{row:06d}'.encode() for row in range(len(labels))], object)
    every = LabelledSet(pixels, labels, ids, confidence)
    return Parts(every.take(rows.train), every.take(rows.val), every.take(rows.test))
