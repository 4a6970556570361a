"""What serving a model costs: time per image and bytes on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from thawline.components.saved_model.runner import SavedModelRunner
from thawline.components.shared import image_decoder

IMAGES = 100
_WARM_UP = 5


def latency_ms(model: SavedModelRunner, files: Sequence[str]) -> float | None:
    """95th percentile of the milliseconds that one image takes through `serving_pixels`.

    One decoded image a call, one call at a time, on this machine under its present load. The first
    calls are not counted.

    Args:
        model: as exported.
        files: gzipped TFRecords of tf.Examples, of which a hundred images are taken.

    Returns:
        None where there are no images.
    """
    features = {'image': tf.io.FixedLenFeature([], tf.string)}
    records = tf.data.TFRecordDataset(list(files), compression_type='GZIP').take(IMAGES)
    images = [
        image_decoder.decode(tf.io.parse_single_example(record, features)['image'])[None]
        for record in records
    ]
    for image in images[:_WARM_UP]:
        model('serving_pixels', pixels=image)
    seconds = []
    for image in images:
        started = time.perf_counter()
        model('serving_pixels', pixels=image)
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.percentile(seconds, 95)) if seconds else None


def size_mb(folder: str) -> float:
    """All files of a SavedModel, in 10^6 bytes."""
    return (
        sum(
            tf.io.gfile.stat(os.path.join(parent, name)).length
            for parent, _, names in tf.io.gfile.walk(folder)
            for name in names
        )
        / 1e6
    )
