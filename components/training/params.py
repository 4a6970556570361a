"""The settings of the recipe, validated here once and taken as they are by all others."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import pydantic

from components import backbones
from components.errors import ConfigError
from components.section import Count, Fraction, Rate, Section, Share

AugmentationName = Literal['none', 'light', 'standard', 'strong', 'any_orientation']


class Model(Section):
    """The pretrained base."""

    backbone: str = pydantic.Field(
        default='mobilenet_v2', description='Name of a base in the registry.'
    )
    weights: str = pydantic.Field(
        default='imagenet', description='imagenet, package, random, or a weights file.'
    )

    @pydantic.field_validator('backbone')
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            backbones.entry(value)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return value

    @pydantic.model_validator(mode='after')
    def _offered(self) -> Self:
        offered = (*backbones.entry(self.backbone).weights, 'random')
        if self.weights in ('imagenet', 'package') and self.weights not in offered:
            raise ValueError(
                f'weights {self.weights!r} do not exist for {self.backbone}; '
                f'use one of {", ".join(offered)}, or a file'
            )
        return self


class Head(Section):
    """First phase: a linear head on features of the frozen base."""

    augmented_views: Annotated[int, pydantic.Field(ge=0, le=16)] = pydantic.Field(
        default=1, description='Augmented copies of each training image, beside the plain one.'
    )


class FineTune(Section):
    """Second phase: the top blocks of the base at a low learning rate."""

    enabled: bool = pydantic.Field(default=True, description='false ships the frozen base.')
    blocks: Count | Literal['all'] = pydantic.Field(
        default=10, description='How many blocks are thawed, counted from the top.'
    )
    epochs: Count = pydantic.Field(default=7, description='At most; see patience.')
    learning_rate: Rate = pydantic.Field(
        default=6e-4, description='Peak rate of the head and the top block.'
    )
    block_decay: Rate = pydantic.Field(
        default=0.8,
        description='Each block learns at this multiple of the rate of the block above it.',
    )
    warmup: Share = pydantic.Field(
        default=0.1, description='Share of the steps in which the rate rises from 0.'
    )
    weight_decay: Share = pydantic.Field(default=1e-4, description='Of kernels only (AdamW).')
    dropout: Fraction = pydantic.Field(default=0.2, description='Before the head.')
    label_smoothing: Fraction = pydantic.Field(
        default=0.1, description='Share of the label spread over all classes.'
    )
    patience: Count = pydantic.Field(
        default=4, description='Epochs without a better val accuracy before stopping.'
    )
    batch_norm: Literal['frozen', 'affine'] = pydantic.Field(
        default='frozen',
        description='Statistics never change; affine: scale and bias of thawed blocks train.',
    )


class Training(Section):
    """The recipe: a head on the frozen base first, then its top blocks at a low rate."""

    seed: Annotated[int, pydantic.Field(ge=0, lt=2**31)] = pydantic.Field(
        default=0, description='The same seed on the same machine gives the same model.'
    )
    batch_size: Annotated[int, pydantic.Field(ge=1, le=1024)] = pydantic.Field(
        default=32, description='Images a step of fine-tuning.'
    )
    augmentation: AugmentationName = pydantic.Field(
        default='standard',
        description='Random changes of training images; any_orientation is for pictures without '
        'an up.',
    )
    head: Head = Head()
    fine_tune: FineTune = FineTune()
