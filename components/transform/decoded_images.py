"""Encoded images as the pixels that the network sees, outside Transform."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from thawline.components.shared import progress
from thawline.components.transform import preprocessing

_BATCH = 32


def decode(encoded: Sequence[bytes] | np.ndarray, size: int, mode: str) -> np.ndarray:
    """Decodes and resizes as the pipeline does: bytes [N] -> uint8 [N, size, size, 3]."""
    pixels = np.empty((len(encoded), size, size, 3), np.uint8)
    decode_batch = tf.function(
        lambda batch: preprocessing.pixels_from_bytes(batch, size, mode),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    progress.start('images decoded', len(encoded))
    for i in range(0, len(encoded), _BATCH):
        batch = decode_batch(tf.constant(list(encoded[i : i + _BATCH])))
        pixels[i : i + _BATCH] = batch.numpy()
        progress.advance(len(batch))
    return pixels
