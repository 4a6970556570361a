"""EfficientNet-Lite0 as a flat functional Keras model, and its weights from PyTorch names.

Architecture: EfficientNet-B0 (Tan & Le 2019, arXiv:1905.11946) made fit for edge devices by the
TensorFlow authors' "lite" variants (tensorflow/tpu, models/official/efficientnet/lite): ReLU6
instead of swish, no squeeze-and-excite, stem and head of fixed width. Convolutions pad as
TensorFlow's SAME, BatchNormalization has epsilon 1e-3.

Contract: `pixels` [N, H, W, 3] float32 in [0, 255]; out [N, ceil(H/32), ceil(W/32), 1280] float32,
or probabilities [N, 1000] with the top.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np

from thawline.components.shared.errors import ConfigError

# Which of the two the weights need was measured: benchmarks/lite0_scaling.md.
SCALINGS: dict[str, tuple[list[float], list[float]]] = {
    # (x - 127) / 128, as in the TensorFlow original
    'tensorflow': ([1 / 128] * 3, [-127 / 128] * 3),
    # (x / 255 - mean) / standard deviation of ImageNet, as in the package's reference code
    'imagenet': (
        [1 / (255 * s) for s in (0.229, 0.224, 0.225)],
        [-m / s for m, s in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)],
    ),
}
NATIVE_SCALING = 'tensorflow'


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expand: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
_STEM_FILTERS = 32
_HEAD_FILTERS = 1280
_CLASSES = 1000


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(2.0, mode='fan_out', distribution='truncated_normal')


def _conv(
    x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str
) -> keras.KerasTensor:
    layer = keras.layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding='same',
        use_bias=False,
        kernel_initializer=_initializer(),
        name=name,
    )
    return layer(x)


def _batch_norm(x: keras.KerasTensor, name: str, activate: bool = True) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.99, name=name)(x)
    if activate:
        x = keras.layers.ReLU(max_value=6.0, name=name.removesuffix('_bn') + '_relu6')(x)
    return x


def _block(x: keras.KerasTensor, stage: _Stage, stride: int, name: str) -> keras.KerasTensor:
    """Inverted residual block: expand, depthwise, project, and add where shapes agree."""
    filters_in = x.shape[-1]
    y = x
    if stage.expand != 1:
        y = _conv(y, filters_in * stage.expand, 1, 1, f'{name}_expand_conv')
        y = _batch_norm(y, f'{name}_expand_bn')
    y = keras.layers.DepthwiseConv2D(
        stage.kernel,
        strides=stride,
        padding='same',
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=f'{name}_dwconv',
    )(y)
    y = _batch_norm(y, f'{name}_bn')
    y = _conv(y, stage.filters, 1, 1, f'{name}_project_conv')
    y = _batch_norm(y, f'{name}_project_bn', activate=False)
    if stride == 1 and filters_in == stage.filters:
        y = keras.layers.Add(name=f'{name}_add')([y, x])
    return y


def construct(
    pixels: keras.KerasTensor, include_top: bool = False, scaling: str = NATIVE_SCALING
) -> keras.Model:
    """The network on `pixels`, with random weights.

    Args:
        pixels: [N, H, W, 3] float32 in [0, 255].
        include_top: add pooling and the 1000-class ImageNet head.
        scaling: key of `SCALINGS`; other than the native one only for measuring.
    """
    scale, offset = SCALINGS[scaling]
    x = keras.layers.Rescaling(scale, offset=offset, name='native_scaling')(pixels)
    x = _batch_norm(_conv(x, _STEM_FILTERS, 3, 2, 'stem_conv'), 'stem_bn')
    for number, stage in enumerate(_STAGES, start=1):
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            x = _block(x, stage, stride, f'block{number}{chr(ord("a") + repeat)}')
    x = _batch_norm(_conv(x, _HEAD_FILTERS, 1, 1, 'top_conv'), 'top_bn')
    if include_top:
        x = keras.layers.GlobalAveragePooling2D(name='avg_pool')(x)
        x = keras.layers.Dropout(0.2, name='top_dropout')(x)
        x = keras.layers.Dense(_CLASSES, activation='softmax', name='predictions')(x)
    return keras.Model(pixels, x, name='efficientnet_lite0')


def _torch_names() -> dict[str, str]:
    """Name of each weighted Keras layer -> prefix of its tensors in the PyTorch checkpoint."""
    pairs = {'stem_conv': '_conv_stem', 'stem_bn': '_bn0'}
    pairs |= {'top_conv': '_conv_head', 'top_bn': '_bn1', 'predictions': '_fc'}
    blocks = (
        (f'block{number}{chr(ord("a") + repeat)}', stage.expand)
        for number, stage in enumerate(_STAGES, start=1)
        for repeat in range(stage.repeats)
    )
    for index, (block, expand) in enumerate(blocks):
        prefix = f'_blocks.{index}.'
        if expand != 1:
            pairs |= {f'{block}_expand_conv': prefix + '_expand_conv'}
            pairs |= {f'{block}_expand_bn': prefix + '_bn0'}
        pairs |= {f'{block}_dwconv': prefix + '_depthwise_conv', f'{block}_bn': prefix + '_bn1'}
        pairs |= {f'{block}_project_conv': prefix + '_project_conv'}
        pairs |= {f'{block}_project_bn': prefix + '_bn2'}
    return pairs


def _torch_tensors(
    layer: keras.layers.Layer, prefix: str
) -> list[tuple[str, tuple[int, ...] | None]]:
    """Per variable of `layer`, in order: the tensor's name and how its axes are permuted."""
    if isinstance(layer, keras.layers.BatchNormalization):
        parts = ('weight', 'bias', 'running_mean', 'running_var')
        return [(f'{prefix}.{part}', None) for part in parts]
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return [(f'{prefix}.weight', (2, 3, 0, 1))]  # [C, 1, kh, kw] -> [kh, kw, C, 1]
    if isinstance(layer, keras.layers.Conv2D):
        return [(f'{prefix}.weight', (2, 3, 1, 0))]  # [out, in, kh, kw] -> [kh, kw, in, out]
    return [(f'{prefix}.weight', (1, 0)), (f'{prefix}.bias', None)]


def assign_torch_tensors(
    model: keras.Model, tensors: Mapping[str, np.ndarray], source: str
) -> None:
    """Copies a PyTorch checkpoint of EfficientNet-Lite0 into a model that `construct` made.

    Args:
        model: with or without the top.
        tensors: PyTorch name -> array, in PyTorch's axis order. Counters (`num_batches_tracked`)
            and, for a model without top, the classifier (`_fc`) are not needed.
        source: the file, for messages.

    Raises:
        ConfigError: a tensor is missing, has another shape, or is left over. Nothing is assigned.
    """
    names = _torch_names()
    values: list[tuple[keras.Variable, np.ndarray]] = []
    used = {name for name in tensors if name.endswith('.num_batches_tracked')}
    used |= {'_fc.weight', '_fc.bias'}
    for layer in model.layers:
        if not layer.weights:
            continue
        sources = _torch_tensors(layer, names[layer.name])
        for variable, (name, axes) in zip(layer.weights, sources, strict=True):
            if name not in tensors:
                raise ConfigError(
                    f'{source} does not hold weights of efficientnet_lite0: tensor {name!r} '
                    f'({math.prod(variable.shape)} values) is missing.'
                )
            value = tensors[name] if axes is None else _permute(tensors[name], axes)
            if tuple(value.shape) != tuple(variable.shape):
                raise ConfigError(
                    f'{source} does not hold weights of efficientnet_lite0: tensor {name!r} has '
                    f'shape {list(tensors[name].shape)}, which does not fit layer {layer.name} '
                    f'with {list(variable.shape)}.'
                )
            values.append((variable, value))
            used.add(name)
    left_over = sorted(set(tensors) - used)
    if left_over:
        raise ConfigError(
            f'{source} does not hold weights of efficientnet_lite0: it has {len(left_over)} '
            f'tensors more than the network, the first of them {left_over[0]!r}.'
        )
    for variable, value in values:
        variable.assign(value)


def _permute(value: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Permutes the axes; returns a tensor of another rank unchanged."""
    return value.transpose(axes) if value.ndim == len(axes) else value
