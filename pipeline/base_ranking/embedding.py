"""Features of images from a frozen base, and their cost."""

from __future__ import annotations

import dataclasses
import statistics
import time

import numpy as np
import tensorflow as tf

from thawline.components import backbones
from thawline.components.shared import progress

_BATCH = 32


@dataclasses.dataclass(frozen=True)
class BaseCost:
    """The cost of a base.

    Attributes:
        milliseconds: forward pass of one image in a batch; median over batches.
        parameters: number of its weights.
        megabytes: size of its weights in memory, 10^6 bytes.
    """

    milliseconds: float
    parameters: int
    megabytes: float


def embed(backbone: backbones.Backbone, images: np.ndarray) -> tuple[np.ndarray, BaseCost]:
    """Pooled features of all images in order, and the cost.

    Args:
        backbone: the base.
        images: uint8 [N, H, W, 3] at the size the base was built for.

    Returns:
        float32 [N, D], and the cost; the first batch runs twice, to exclude warm-up.
    """
    size = images.shape[1]
    forward = tf.function(
        lambda batch: tf.reduce_mean(
            backbone.model(tf.cast(batch, tf.float32), training=False), axis=[1, 2]
        ),
        input_signature=[tf.TensorSpec([None, size, size, 3], tf.uint8)],
        autograph=False,
    )
    progress.start('images', len(images))
    forward(images[:_BATCH]).numpy()
    features, seconds = [], []
    for i in range(0, len(images), _BATCH):
        batch = images[i : i + _BATCH]
        start = time.perf_counter()
        features.append(forward(batch).numpy())
        # A small last batch would measure overhead more than the base.
        if len(batch) == min(_BATCH, len(images)):
            seconds.append((time.perf_counter() - start) / len(batch))
        progress.advance(len(batch))
    weights = backbone.model.weights
    size_in_bytes = sum(int(np.prod(w.shape)) * tf.as_dtype(w.dtype).size for w in weights)
    return np.concatenate(features), BaseCost(
        statistics.median(seconds) * 1000, backbone.model.count_params(), size_in_bytes / 1e6
    )
