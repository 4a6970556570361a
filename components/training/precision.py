"""The precision of the training step: mixed bfloat16 where that is faster.

Weights, their gradients and the optimizer stay float32; convolutions and what lies between them
compute in bfloat16 (Micikevicius et al., "Mixed Precision Training", ICLR 2018). bfloat16 has the
exponents of float32, so the loss needs no scaling. On CPUs it was measured 10 % slower.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from thawline.components import backbones

FLOAT32, MIXED = 'float32', 'mixed_bfloat16'
_WITH_BFLOAT16 = (8, 0)  # compute capability of the first NVIDIA GPUs that have it


def dtype_policy(setting: str) -> str:
    """The Keras dtype policy for `setting` (`params.Training.precision`) on this machine."""
    if setting != 'auto':
        return setting
    gpus = tf.config.list_physical_devices('GPU')
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    able = [gpu.get('compute_capability', (0, 0)) >= _WITH_BFLOAT16 for gpu in details]
    return MIXED if able and all(able) else FLOAT32


@contextlib.contextmanager
def use_dtype_policy(policy: str, backbone: backbones.Backbone) -> Iterator[None]:
    """Functions traced in the block compute the base by the Keras dtype policy `policy`.

    Those traced before or after do not. The scaling of the pixels stays float32, because bfloat16
    has only 256 brightnesses; so do the pooling and the head, which are not part of the base.
    """
    if policy == FLOAT32:
        yield
        return
    scaling = (keras.layers.InputLayer, keras.layers.Rescaling, keras.layers.Normalization)
    every = backbone.model._flatten_layers(include_self=False, recursive=True)
    layers = [layer for layer in every if not isinstance(layer, scaling)]
    before = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = policy
        yield
    finally:
        for layer, own in zip(layers, before, strict=True):
            layer.dtype_policy = own
