"""Pixels as Transform wrote them, of some images of a split."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from thawline.components.shared import tf_data
from thawline.components.transform import preprocessing

_BATCH = 64


@dataclasses.dataclass(frozen=True)
class Batch:
    """Images: str [n] and uint8 [n, S, S, 3]."""

    ids: tuple[str, ...]
    pixels: np.ndarray


def batches(files: Sequence[str], size: int) -> Iterator[Batch]:
    """All images, a few at a time.

    Args:
        files: gzipped TFRecords of transformed examples.
        size: side in pixels.
    """
    features = {
        name: tf.io.FixedLenFeature([], tf.string)
        for name in (preprocessing.PIXELS, preprocessing.IMAGE_ID)
    }
    for serialized in tf_data.batches(list(files), _BATCH):
        parsed = tf.io.parse_example(serialized, features)
        ids = tuple(name.decode() for name in parsed[preprocessing.IMAGE_ID].numpy())
        yield Batch(ids, preprocessing.unpack(parsed[preprocessing.PIXELS], size).numpy())


def sample(files: Sequence[str], size: int, most: int) -> np.ndarray:
    """Images of `most` ids that are lowest, so that neither shards nor their order matter.

    Ids are hashes of the images, so the lowest ones are drawn without regard to class or place.

    Returns:
        uint8 [n, S, S, 3], n at most `most`.
    """
    kept: list[tuple[str, np.ndarray]] = []
    for batch in batches(files, size):
        kept = sorted([*kept, *zip(batch.ids, batch.pixels, strict=True)], key=lambda one: one[0])
        kept = kept[:most]
    if not kept:
        return np.empty((0, size, size, 3), np.uint8)
    return np.stack([pixels for _, pixels in kept])
