"""The available backbones, without importing Keras.

An entry has the sources of a backbone's weights and the pattern that sorts its layers into blocks;
its constructor is the function of the same name in `families`.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import pathlib

from thawline.components.backbones import package_weights
from thawline.components.shared.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class BackboneEntry:
    """One backbone.

    Attributes:
        name: in configurations.
        block_pattern: regular expression with one group, which is the name of a layer's block.
            Layers before the first match are the stem, after the last the top.
        weights: which of 'imagenet' and 'package' it has, the best offline choice last; None,
            'random' and the path of a file always work.
        imagenet_file: in which Keras caches the ImageNet weights; `{size}` stands for the size of
            the weights where there are several.
        imagenet_sizes: sizes with ImageNet weights of their own (empty: one file for all).
        default_size: image side in pixels that its ImageNet weights were trained at.
        min_size: smallest image side that the architecture takes.
        megabytes: size of the float32 weights, for messages.
    """

    name: str
    block_pattern: str
    weights: tuple[str, ...] = ('imagenet',)
    imagenet_file: str | None = None
    imagenet_sizes: tuple[int, ...] = ()
    default_size: int = 224
    min_size: int = 32
    megabytes: int = 0

    def cached_imagenet_file(self, image_size: int) -> pathlib.Path | None:
        """Where Keras keeps the ImageNet weights for this size; the file need not exist."""
        if self.imagenet_file is None:
            return None
        # keras.applications falls back to the weights for 224 at any size without its own.
        size = image_size if image_size in self.imagenet_sizes else 224
        return keras_home() / 'models' / self.imagenet_file.format(size=size)


_MOBILENET_BLOCK = r'(expanded_conv|block_\d+)_[a-zA-Z]'
_MOBILENET_V3_BLOCK = r'(expanded_conv(?:_\d+)?)_[a-zA-Z]'
_RESNET_BLOCK = r'(conv[2-5]_block\d+)_'
_EFFICIENTNET_BLOCK = r'(block\d[a-z])_'
_CONVNEXT_BLOCK = r'(stage_\d_block_\d+)'
_MOBILENET_FILE = 'mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{{size}}_no_top.h5'
_MOBILENET_SIZES = (96, 128, 160, 192, 224)

_ENTRIES = (
    BackboneEntry(
        name='mobilenet_v2',
        block_pattern=_MOBILENET_BLOCK,
        imagenet_file=_MOBILENET_FILE.format(alpha='1.0'),
        imagenet_sizes=_MOBILENET_SIZES,
        megabytes=9,
    ),
    # Width is part of the name, not read from the weights file: a configuration means the same
    # network with 'imagenet', a file or random weights.
    BackboneEntry(
        name='mobilenet_v2_035',
        block_pattern=_MOBILENET_BLOCK,
        imagenet_file=_MOBILENET_FILE.format(alpha='0.35'),
        imagenet_sizes=_MOBILENET_SIZES,
        megabytes=2,
    ),
    BackboneEntry(
        name='resnet50',
        block_pattern=_RESNET_BLOCK,
        imagenet_file='resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5',
        megabytes=94,
    ),
    BackboneEntry(
        name='resnet50_v2',
        block_pattern=_RESNET_BLOCK,
        imagenet_file='resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5',
        megabytes=94,
    ),
    BackboneEntry(
        name='efficientnet_v2_b0',
        block_pattern=_EFFICIENTNET_BLOCK,
        imagenet_file='efficientnetv2-b0_notop.h5',
        megabytes=24,
    ),
    BackboneEntry(
        name='efficientnet_b0',
        block_pattern=_EFFICIENTNET_BLOCK,
        imagenet_file='efficientnetb0_notop.h5',
        megabytes=16,
    ),
    BackboneEntry(
        name='mobilenet_v3_large',
        block_pattern=_MOBILENET_V3_BLOCK,
        imagenet_file='weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5',
        megabytes=12,
    ),
    BackboneEntry(
        name='convnext_tiny',
        block_pattern=_CONVNEXT_BLOCK,
        imagenet_file='convnext_tiny_notop.h5',
        megabytes=111,
    ),
    BackboneEntry(
        name='efficientnet_lite0',
        weights=('package',),
        block_pattern=_EFFICIENTNET_BLOCK,
        megabytes=14,
    ),
)
_BY_NAME = {item.name: item for item in _ENTRIES}


def names() -> tuple[str, ...]:
    """Names of all backbones, in the order in which documentation lists them."""
    return tuple(item.name for item in _ENTRIES)


def entry(name: str) -> BackboneEntry:
    """The entry called `name`.

    Raises:
        ConfigError: there is none; the message lists what is close, or all.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    close = difflib.get_close_matches(str(name).lower().replace('-', '_'), names(), n=3)
    hint = f'did you mean {" or ".join(close)}?' if close else f'use one of {", ".join(names())}.'
    raise ConfigError(f'There is no backbone {name!r}; {hint}')


def keras_home() -> pathlib.Path:
    """Folder in which Keras keeps downloads, by its own rule, without importing it."""
    if 'KERAS_HOME' in os.environ:
        return pathlib.Path(os.environ['KERAS_HOME']).expanduser()
    home = pathlib.Path.home()
    return (home if os.access(home, os.W_OK) else pathlib.Path('/tmp')) / '.keras'


def weights_path(name: str, weights: str, image_size: int) -> pathlib.Path | None:
    """The file here that weights are read from; None for random ones, and where it is not here yet.

    Raises:
        ConfigError: there is no such backbone.
    """
    if weights == 'imagenet':
        path = entry(name).cached_imagenet_file(image_size)
    elif weights == 'package':
        path = package_weights.locate()
    else:
        path = None if weights == 'random' else pathlib.Path(weights).expanduser()
    return path if path is not None and path.is_file() else None


def availability(name: str) -> dict[str, str]:
    """Which pretrained weights of `name` are on this machine; downloads nothing.

    Returns:
        For each of the entry's `weights` 'present: ...', or 'absent: ...' with how to get them.

    Raises:
        ConfigError: there is no such backbone.
    """
    states = {}
    item = entry(name)
    for source in item.weights:
        if source == 'package':
            states[source] = package_weights.describe()
            continue
        sizes = item.imagenet_sizes or (item.default_size,)
        paths = [item.cached_imagenet_file(size) for size in sizes]
        present = [path for path in paths if path is not None and path.is_file()]
        if present:
            states[source] = f'present: {", ".join(str(path) for path in present)}'
        else:
            states[source] = (
                f'absent: Keras downloads {item.megabytes} MB at first use; without a network, '
                f'put {paths[-1].name if paths[-1] else ""} into {keras_home() / "models"}, '
                'or set the weights to its path'
            )
    return states
