"""Pretrained backbones by name; no other code depends on which one is in use.

`names`, `entry` and `availability` need no Keras, so that checking a configuration and `thawline
doctor` do not take the time to import TensorFlow. The rest is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from thawline.components.backbones.registry import (
    BackboneEntry,
    availability,
    entry,
    names,
    weights_path,
)

if TYPE_CHECKING:
    from thawline.components.backbones.backbone import Backbone, Block, set_trainable, split_at
    from thawline.components.backbones.building import build

__all__ = [
    'Backbone',
    'BackboneEntry',
    'Block',
    'availability',
    'build',
    'entry',
    'names',
    'set_trainable',
    'split_at',
    'weights_path',
]

_LAZY = {
    'Backbone': 'backbone',
    'Block': 'backbone',
    'set_trainable': 'backbone',
    'split_at': 'backbone',
    'build': 'building',
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    module = importlib.import_module(f'{__name__}.{_LAZY[name]}')
    return getattr(module, name)
