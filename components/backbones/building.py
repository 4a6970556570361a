"""Builds a backbone by name and loads its weights."""

from __future__ import annotations

import hashlib
import pathlib
import warnings

import keras
import numpy as np

from thawline.components.backbones import (
    efficientnet_lite0,
    families,
    package_weights,
    registry,
    torch_checkpoint,
    weights_file,
)
from thawline.components.backbones.backbone import Backbone, block_edges, sort_into_blocks
from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError, Unavailable


def build(name: str, image_size: int, weights: str | None) -> Backbone:
    """Builds the backbone `name` for square images.

    Args:
        name: one of `names()`.
        image_size: side of the images in pixels.
        weights: 'imagenet' (downloaded by Keras), 'package', None or 'random' (initial values
            from Keras's random state), or the path of a local file: a Keras weights file, or, for
            a backbone with a package, a legacy PyTorch checkpoint (`.pth`).

    Raises:
        ConfigError: an unknown name, too small a size, or weights that this backbone does not have,
            that cannot be downloaded, or that the file does not hold.
    """
    entry = registry.entry(name)
    if image_size < entry.min_size:
        raise ConfigError(
            f'{name} takes images of at least {entry.min_size} x {entry.min_size} pixels; '
            f'received image_size={image_size}.'
        )
    if weights in ('imagenet', 'package') and weights not in entry.weights:
        raise ConfigError(
            f'{name} has no weights {weights!r}; use {", ".join(entry.weights)}, random, or the '
            'path of a file.'
        )
    if weights == 'imagenet':
        model = _download(entry, image_size)
        path = entry.cached_imagenet_file(image_size)
        cached = path is not None and path.is_file()
        digest = files.sha256(path) if path is not None and cached else _tensor_digest(model)
        return _assemble(entry, model, digest, 'ImageNet, from Keras')
    model = _construct(entry, image_size, None)
    if weights is None or weights == 'random':
        return _assemble(entry, model, _tensor_digest(model), 'random')
    if weights == 'package':
        path = package_weights.verified_path()
        source = f'ImageNet, from the package {package_weights.DISTRIBUTION}'
    else:
        path = pathlib.Path(weights).expanduser()
        source = str(path)
    if path.suffix == '.pth' and 'package' in entry.weights:
        tensors = torch_checkpoint.read_tensors(path)
        efficientnet_lite0.assign_torch_tensors(model, tensors, str(path))
    else:
        remark = weights_file.load(model, path, name)
        source = f'{source}, {remark}' if remark else source
    return _assemble(entry, model, files.sha256(path), source)


def _construct(entry: registry.BackboneEntry, image_size: int, weights: str | None) -> keras.Model:
    pixels = keras.Input((image_size, image_size, 3), dtype='float32', name='pixels')
    base = getattr(families, entry.name)(pixels, weights)
    return keras.Model(base.inputs[0], base.outputs[0], name=entry.name)


def _download(entry: registry.BackboneEntry, image_size: int) -> keras.Model:
    try:
        with warnings.catch_warnings():
            # Weights for 224 pixels at another size, as the registry says.
            warnings.filterwarnings('ignore', message='`input_shape` is undefined or non-square')
            return _construct(entry, image_size, 'imagenet')
    except Exception as error:
        # keras.utils.get_file raises a bare Exception for a failed download and ValueError for a
        # damaged one; anything else is a crash of ours and keeps its traceback.
        text = str(error)
        if not isinstance(error, OSError) and not text.startswith(('URL fetch', 'Incomplete')):
            raise
        path = entry.cached_imagenet_file(image_size)
        raise Unavailable(
            f"The weights 'imagenet' of {entry.name} could not be downloaded ({text}). Without a "
            f'network, download the file elsewhere and put it at {path}, or set the weights to the '
            f'path of a file{_offline_alternative(entry)}.'
        ) from error


def _offline_alternative(entry: registry.BackboneEntry) -> str:
    """The base whose weights need no network, where they are installed."""
    name = 'efficientnet_lite0'
    if package_weights.locate() is None:
        return ''
    base = '' if entry.name == name else f' model.backbone: {name} with'
    return f', or use{base} model.weights: package, which is installed'


def _assemble(
    entry: registry.BackboneEntry, model: keras.Model, digest: str, source: str
) -> Backbone:
    blocks = sort_into_blocks(model, entry.block_pattern)
    block_edges(model, blocks)  # fails now, not later, if Keras builds the network differently
    return Backbone(entry.name, model, blocks, weights_digest=digest, weights_source=source)


def _tensor_digest(model: keras.Model) -> str:
    """sha256 over names, shapes and values, in the model's order."""
    digest = hashlib.sha256()
    for weight in model.weights:
        value = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
        digest.update(f'{weight.name}{value.shape}{value.dtype}'.encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
