"""Builds a backbone by name and fills it with the weights that were asked for."""

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
        ConfigError: unknown name, a size too small, weights that this backbone does not have,
            cannot be downloaded, or a file that does not hold them.
    """
    entry = registry.entry(name)
    if image_size < entry.min_size:
        raise ConfigError(
            f'{name} takes images of at least {entry.min_size} pixels a side; '
            f'received image_size={image_size}.'
        )
    if weights in ('imagenet', 'package') and weights not in entry.weights:
        raise ConfigError(
            f'{name} has no weights {weights!r}; there are: {", ".join(entry.weights)}, '
            f'random, or the path of a file.'
        )
    if weights == 'imagenet':
        model = _download(entry, image_size)
        path = entry.cached_imagenet_file(image_size)
        known = path is not None and path.is_file()
        digest = _file_digest(path) if path is not None and known else _tensor_digest(model)
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
    return _assemble(entry, model, _file_digest(path), source)


def _construct(entry: registry.BackboneEntry, image_size: int, weights: str | None) -> keras.Model:
    pixels = keras.Input((image_size, image_size, 3), dtype='float32', name='pixels')
    base = getattr(families, entry.name)(pixels, weights)
    return keras.Model(base.inputs[0], base.outputs[0], name=entry.name)


def _download(entry: registry.BackboneEntry, image_size: int) -> keras.Model:
    try:
        with warnings.catch_warnings():
            # Weights of 224 pixels at another size: what is wanted, and said in the registry.
            warnings.filterwarnings('ignore', message='`input_shape` is undefined or non-square')
            return _construct(entry, image_size, 'imagenet')
    except Exception as error:
        # keras.utils.get_file reports a failed download as a bare Exception, a damaged one as
        # ValueError; anything else is a crash of ours and keeps its traceback.
        text = str(error)
        if not isinstance(error, OSError) and not text.startswith(('URL fetch', 'Incomplete')):
            raise
        path = entry.cached_imagenet_file(image_size)
        raise Unavailable(
            f"The weights 'imagenet' of {entry.name} could not be downloaded ({text}). Without a "
            f'network, download the file elsewhere and put it at {path}, or give the path of a '
            f'weights file instead of imagenet.'
        ) from error


def _assemble(
    entry: registry.BackboneEntry, model: keras.Model, digest: str, source: str
) -> Backbone:
    blocks = sort_into_blocks(model, entry.block_pattern)
    block_edges(model, blocks)  # a Keras that builds this network otherwise shows here, not later
    return Backbone(entry.name, model, blocks, weights_digest=digest, weights_source=source)


def _file_digest(path: pathlib.Path) -> str:
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def _tensor_digest(model: keras.Model) -> str:
    """sha256 over names, shapes and values, in the model's order."""
    digest = hashlib.sha256()
    for weight in model.weights:
        value = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
        digest.update(f'{weight.name}{value.shape}{value.dtype}'.encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
