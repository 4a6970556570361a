"""The settings of the recipe, validated here once and taken as they are by all others."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import pydantic

from thawline.components.backbones.params import Views
from thawline.components.shared.settings import Count, Duration, Fraction, Rate, Section, Share

PolicyName = Literal[
    'none', 'flip', 'flips', 'light', 'standard', 'strong', 'trivial', 'any_orientation'
]
AugmentationName = PolicyName | Literal['auto']


class FineTune(Section):
    """Second phase: the top blocks of the base at a low learning rate."""

    blocks: Count | Literal['all'] = pydantic.Field(
        default='all', description='How many blocks are thawed, counted from the top.'
    )
    stages: Count = pydantic.Field(
        default=1, description='In how many steps they thaw, from the top; 1: all at once.'
    )
    epochs: Count = pydantic.Field(default=6, description='At most; see patience.')
    learning_rate: Rate = pydantic.Field(
        default=3e-4, description='Peak rate of the head and the top block.'
    )
    block_decay: Rate = pydantic.Field(
        default=0.9,
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
    mix: Literal['none', 'mixup', 'cutmix'] = pydantic.Field(
        default='none', description='Blends pairs of training images, and their labels.'
    )
    average: Fraction = pydantic.Field(
        default=0.0,
        description='Momentum a step of the moving average of the weights that is kept; 0: none.',
    )
    patience: Count = pydantic.Field(
        default=4, description='Epochs without a better model on val before stopping.'
    )
    batch_norm: Literal['frozen', 'affine', 'updated'] = pydantic.Field(
        default='frozen',
        description='frozen: never changes; affine: scale and bias of thawed blocks train, the '
        'statistics never change; updated: the statistics of thawed blocks follow the images too.',
    )
    start_resolution: Rate = pydantic.Field(
        default=1.0,
        description='Share of the image side at which the first epoch trains; the later ones go '
        'evenly to end_resolution, in steps of 32 pixels.',
    )
    end_resolution: Rate = pydantic.Field(
        default=1.0,
        description='Share of the image side at which the last epoch trains; val and what is '
        'served are always of full size.',
    )
    cached_views: Count | Literal[0] = pydantic.Field(
        default=0,
        description='Augmented copies of each training image that pass the frozen blocks once and '
        'are trained on in turn, one an epoch; 0: new copies each epoch. Needs frozen blocks.',
    )

    @pydantic.model_validator(mode='after')
    def _cacheable(self) -> Self:
        if not self.cached_views:
            return self
        wanted = f'cached_views {self.cached_views} keeps what the frozen blocks make of images'
        if self.blocks == 'all':
            raise ValueError(f'{wanted}, and blocks all leaves none frozen; lower blocks: to 4')
        if self.mix != 'none':
            raise ValueError(f'{wanted}, and mix {self.mix} blends the images; use mix none')
        if (self.start_resolution, self.end_resolution) != (1.0, 1.0):
            raise ValueError(
                f'{wanted} of full size; start_resolution is {self.start_resolution:g} and '
                f'end_resolution {self.end_resolution:g}: leave both at 1'
            )
        return self


class Decision(Section):
    """How a class is answered; all but argmax are for two classes and choose a threshold on val."""

    aim: Literal['argmax', 'accuracy', 'f1', 'recall'] = pydantic.Field(
        default='argmax',
        description='argmax: the most probable class; accuracy: most right answers; f1: of the '
        'positive class; recall: of the positive class at least at_least, then best precision.',
    )
    positive: str | None = pydantic.Field(
        default=None, description='Name of the class that is looked for, for f1 and recall.'
    )
    at_least: Rate | None = pydantic.Field(
        default=None, description='Share of the positive images to be found, for recall.'
    )

    @pydantic.model_validator(mode='after')
    def _complete(self) -> Self:
        if self.aim in ('f1', 'recall') and self.positive is None:
            raise ValueError(f'aim {self.aim} needs positive: the name of the class looked for')
        if self.aim == 'argmax' and self.positive is not None:
            raise ValueError(
                f'positive {self.positive!r} does nothing with aim argmax; '
                'set aim to recall, f1 or accuracy, or remove it'
            )
        if self.aim == 'recall' and self.at_least is None:
            raise ValueError('aim recall needs at_least: for example 0.95')
        if self.aim != 'recall' and self.at_least is not None:
            raise ValueError(
                f'at_least {self.at_least:g} is for aim recall alone; the aim is {self.aim}'
            )
        return self


class Training(Section):
    """The recipe: a head on the frozen base first, then its top blocks at a low rate."""

    mode: Literal['fine_tune', 'probe'] = pydantic.Field(
        default='fine_tune', description='probe: the head on the frozen base alone, in seconds.'
    )
    budget: Duration | None = pydantic.Field(
        default=None,
        description='Time for training, such as 90s, 5m or 1h; epochs and blocks are cut to fit.',
    )
    seed: Annotated[int, pydantic.Field(ge=0, lt=2**31)] = pydantic.Field(
        default=0, description='The same seed on the same machine gives the same model.'
    )
    batch_size: Annotated[int, pydantic.Field(ge=1, le=1024)] = pydantic.Field(
        default=32, description='Images a step of fine-tuning.'
    )
    precision: Literal['auto', 'float32', 'mixed_bfloat16'] = pydantic.Field(
        default='auto',
        description='Of the steps of fine-tuning; auto: mixed_bfloat16 on GPUs of compute '
        'capability 8.0 and later, else float32. Weights and answers are float32 always.',
    )
    augmentation: AugmentationName = pydantic.Field(
        default='auto',
        description='Random changes of training images. auto: standard, or less of it where val '
        'shows that the images do not bear it; flips (exact, no blur) and any_orientation are for '
        'pictures without an up.',
    )
    class_weights: Literal['none', 'balanced'] = pydantic.Field(
        default='none', description='balanced: rare classes weigh more, so that all weigh the same.'
    )
    soft_labels: bool = pydantic.Field(
        default=True, description='Train towards each label as far as its confidence says.'
    )
    test_time_augmentation: Views = pydantic.Field(
        default='none',
        description='Mirrored views over which the model averages when it answers; flip: left to '
        'right, twice the time an image; flips: both ways, four times.',
    )
    tuned: bool = pydantic.Field(
        default=False,
        description='Take the newest settings that thawline tune chose, before those given here.',
    )
    fine_tune: FineTune = FineTune()
    decision: Decision = Decision()

    @property
    def views_augmentation(self) -> PolicyName:
        """The policy of the Embedder's views, which are made before anything is measured."""
        return 'flip' if self.augmentation == 'auto' else self.augmentation
