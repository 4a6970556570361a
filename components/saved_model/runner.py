"""An exported model in memory, called with arrays by its signatures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

EXPLAIN = ('explain', 'transform_features')


class SavedModelRunner:
    """A loaded SavedModel; it may be called from any thread.

    Attributes:
        module: what TensorFlow loaded. The variables live as long as it does.
        signatures: what each takes: specs by the name of the input.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Loads the model.

        Raises:
            OSError, ValueError, tf.errors.OpError: the folder holds no SavedModel that can be used.
        """
        self.module: Any = tf.saved_model.load(os.fspath(folder))
        self._functions: dict[str, Any] = dict(self.module.signatures.items())
        self.signatures: dict[str, Mapping[str, tf.TensorSpec]] = {
            name: function.structured_input_signature[1]
            for name, function in self._functions.items()
        }

    def __call__(self, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Runs one signature.

        Raises:
            tf.errors.OpError: the input does not suit the model.
        """
        specs = self.signatures[signature]
        tensors = {
            # What holds no string says nothing of its type.
            name: tf.constant(value, tf.string if specs[name].dtype == tf.string else None)
            for name, value in inputs.items()
        }
        outputs = self._functions[signature](**tensors)
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    @property
    def can_explain(self) -> bool:
        """Whether `explain` may be called; models of early versions cannot."""
        return self.signatures.keys() >= set(EXPLAIN)

    def explain(self, images: Sequence[bytes], classes: Sequence[int]) -> np.ndarray:
        """Heat of a class over each image as the model sees it: float32 [N, h, w] in [0, 1]."""
        examples = [encode_example(image) for image in images]
        pixels = self('transform_features', examples=examples)['pixels']
        return self('explain', pixels=pixels, class_index=np.array(classes, np.int64))['saliency']


def encode_example(image: bytes) -> bytes:
    """A serialized tf.Example of an encoded image."""
    example = tf.train.Example()
    example.features.feature['image'].bytes_list.value.append(image)
    serialized: bytes = example.SerializeToString()
    return serialized
