"""The settings of the pretrained base."""

from __future__ import annotations

from typing import Literal, Self

import pydantic

from thawline.components.backbones import registry
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.settings import Section

Views = Literal['none', 'flip', 'flips']


class PretrainedBase(Section):
    """The pretrained base."""

    backbone: str = pydantic.Field(
        default='mobilenet_v2', description='Name of the base, such as resnet50.'
    )
    weights: str = pydantic.Field(
        default='imagenet', description='imagenet, package, random, or the path of a weights file.'
    )

    @pydantic.field_validator('backbone')
    @classmethod
    def _check_backbone(cls, value: str) -> str:
        try:
            registry.entry(value)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return value

    @pydantic.model_validator(mode='after')
    def _check_weights(self) -> Self:
        offered = (*registry.entry(self.backbone).weights, 'random')
        if self.weights in ('imagenet', 'package') and self.weights not in offered:
            raise ValueError(
                f'there are no weights {self.weights!r} for {self.backbone}; '
                f'use {", ".join(offered)}, or the path of a file'
            )
        return self
