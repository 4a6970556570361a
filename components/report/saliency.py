"""Asks an exported model which part of an image speaks for a class."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_BATCH = 32


class Explainer:
    """The model's own preprocessing and its signature `explain`."""

    def __init__(self, model: pathlib.Path) -> None:
        """Loads the SavedModel in the folder `model`."""
        self._loaded = tf.saved_model.load(str(model))

    def __call__(self, encoded: Sequence[bytes], classes: Sequence[int]) -> np.ndarray:
        """Heat of each image for a class: -> float32 [N, h, w] in [0, 1], N at least 1."""
        signatures = self._loaded.signatures
        found = []
        for start in range(0, len(encoded), _BATCH):
            rows = slice(start, start + _BATCH)
            examples = tf.constant([_example(image) for image in encoded[rows]])
            pixels = signatures['transform_features'](examples=examples)['pixels']
            index = tf.constant(classes[rows], tf.int64)
            found.append(signatures['explain'](pixels=pixels, class_index=index)['saliency'])
        return np.concatenate(found)


def _example(encoded: bytes) -> bytes:
    message = tf.train.Example()
    message.features.feature['image'].bytes_list.value.append(encoded)
    return message.SerializeToString()
