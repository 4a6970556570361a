"""Every registered base, built once for all files that look at them."""

from __future__ import annotations

import functools

import keras

from thawline.components import backbones

SIZE = 64


@functools.cache
def base(name: str) -> backbones.Backbone:
    """The base on random weights, for images of `SIZE`; who changes weights puts them back."""
    keras.utils.set_random_seed(7)
    return backbones.build(name, SIZE, None)
