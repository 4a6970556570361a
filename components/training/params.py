"""The settings of the recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import pydantic

from thawline.components.backbones.params import Views
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.settings import Count, Duration, Fraction, Rate, Section, Share
from thawline.components.shared.text import abbreviate

PolicyName = Literal[
    'none', 'flip', 'flips', 'light', 'standard', 'strong', 'trivial', 'any_orientation'
]
AugmentationName = PolicyName | Literal['auto']


class FineTune(Section):
    """Second phase: the top blocks of the base at a low learning rate."""

    blocks: Count | Literal['all'] = pydantic.Field(
        default='all', description='Number of blocks to thaw, from the top; all: the whole base.'
    )
    stages: Count = pydantic.Field(
        default=1, description='Number of stages in which they thaw, from the top; 1: all at once.'
    )
    epochs: Count = pydantic.Field(
        default=6, description='Maximum number of epochs; patience may end training earlier.'
    )
    learning_rate: Rate = pydantic.Field(
        default=3e-4, description='Peak learning rate of the head and the top block.'
    )
    block_decay: Rate = pydantic.Field(
        default=0.9,
        description='Learning rate of each block, as a multiple of that of the block above it.',
    )
    warmup: Share = pydantic.Field(
        default=0.1, description='Share of the steps in which the learning rate rises from 0.'
    )
    weight_decay: Share = pydantic.Field(
        default=1e-4, description='Weight decay of AdamW, for kernels only.'
    )
    dropout: Fraction = pydantic.Field(default=0.2, description='Dropout rate before the head.')
    label_smoothing: Fraction = pydantic.Field(
        default=0.1, description='Share of each label that is spread over all classes.'
    )
    mix: Literal['none', 'mixup', 'cutmix'] = pydantic.Field(
        default='none', description='How pairs of training images and their labels are blended.'
    )
    average: Fraction = pydantic.Field(
        default=0.0,
        description='Momentum of the moving average of the weights, per step; 0: no average.',
    )
    patience: Count = pydantic.Field(
        default=4, description='Epochs without improvement on val after which training stops.'
    )
    batch_norm: Literal['frozen', 'affine', 'updated'] = pydantic.Field(
        default='frozen',
        description='BatchNorm layers. frozen: never change; affine: scale and offset of thawed '
        'blocks are trained, statistics never change; updated: statistics of thawed blocks follow '
        'the batches too.',
    )
    start_resolution: Rate = pydantic.Field(
        default=1.0,
        description='Image side in the first epoch, as a share of the full side; it changes '
        'evenly to end_resolution, in steps of 32 pixels.',
    )
    end_resolution: Rate = pydantic.Field(
        default=1.0,
        description='Image side in the last epoch, as a share of the full side; val and serving '
        'always use full size.',
    )
    cached_views: Count | Literal[0] = pydantic.Field(
        default=0,
        description='Number of augmented copies of each training image that pass the frozen blocks '
        'only once; epochs use them in turn. 0: new copies in each epoch. Needs frozen blocks.',
    )

    @pydantic.model_validator(mode='after')
    def _check_cached_views(self) -> Self:
        if not self.cached_views:
            return self
        cached = f'cached_views {self.cached_views} caches activations of the frozen blocks'
        if self.blocks == 'all':
            raise ValueError(f'{cached}, but blocks all freezes none; set blocks to a number')
        if self.mix != 'none':
            raise ValueError(f'{cached}, but mix {self.mix} blends images; set mix to none')
        if (self.start_resolution, self.end_resolution) != (1.0, 1.0):
            raise ValueError(
                f'{cached} at full size, but start_resolution is {self.start_resolution:g} and '
                f'end_resolution {self.end_resolution:g}; set both to 1'
            )
        return self


class Decision(Section):
    """How the answer is chosen; all aims but argmax choose a threshold for two classes on val."""

    aim: Literal['argmax', 'accuracy', 'f1', 'recall'] = pydantic.Field(
        default='argmax',
        description='argmax: the most probable class; accuracy: the highest accuracy; f1: the '
        'highest F1 score of the positive class; recall: the best precision with a recall of the '
        'positive class of at least at_least.',
    )
    positive: str | None = pydantic.Field(
        default=None, description='Name of the positive class, for f1 and recall.'
    )
    at_least: Rate | None = pydantic.Field(
        default=None, description='Required recall of the positive class, for recall.'
    )

    @pydantic.model_validator(mode='after')
    def _check_aim(self) -> Self:
        if self.aim in ('f1', 'recall') and self.positive is None:
            raise ValueError(f'aim {self.aim} needs positive, the name of a class')
        if self.aim == 'argmax' and self.positive is not None:
            raise ValueError(
                f'positive {self.positive!r} has no effect with aim argmax; remove it, or set aim '
                'to recall, f1 or accuracy'
            )
        if self.aim == 'recall' and self.at_least is None:
            raise ValueError('aim recall needs at_least, for example 0.95')
        if self.aim != 'recall' and self.at_least is not None:
            raise ValueError(
                f'at_least {self.at_least:g} is only for aim recall; received aim {self.aim}'
            )
        return self

    def check_classes(self, classes: Sequence[str]) -> None:
        """Refuses an aim that does not fit the classes.

        Raises:
            ConfigError: an aim for two classes with another number of them, or no such class.
        """
        if self.aim == 'argmax':
            return
        names = abbreviate(map(repr, classes), 10)
        if len(classes) != 2:
            raise ConfigError(
                f'training.decision.aim: {self.aim!r} is for two classes; received {len(classes)} '
                f'({names}); use argmax'
            )
        if self.positive is not None and self.positive not in classes:
            raise ConfigError(
                f'training.decision.positive: received {self.positive!r}, which is not a class; '
                f'use one of {names}'
            )


class Training(Section):
    """The recipe: a head on the frozen base first, then its top blocks at a low rate."""

    mode: Literal['fine_tune', 'probe'] = pydantic.Field(
        default='fine_tune',
        description='probe: only the head on the frozen base, in seconds; fine_tune: the base too.',
    )
    budget: Duration | None = pydantic.Field(
        default=None,
        description='Time limit of the Trainer, from its inputs to the exported model, such as '
        '90s, 5m or 1h; epochs and thawed blocks are cut to fit.',
    )
    seed: Annotated[int, pydantic.Field(ge=0, lt=2**31)] = pydantic.Field(
        default=0, description='The same seed on the same machine gives the same model.'
    )
    batch_size: Annotated[int, pydantic.Field(ge=1, le=1024)] = pydantic.Field(
        default=32, description='Images per step of fine-tuning.'
    )
    precision: Literal['auto', 'float32', 'mixed_bfloat16'] = pydantic.Field(
        default='auto',
        description='Precision of fine-tuning. auto: mixed_bfloat16 on GPUs of compute '
        'capability 8.0 or higher, otherwise float32. Weights and answers are always float32.',
    )
    augmentation: AugmentationName = pydantic.Field(
        default='auto',
        description='Random changes of training images. auto: standard, or a weaker one where the '
        'frozen base does clearly worse on augmented val images. flips (no resampling, so no blur) '
        'and any_orientation are for images without an upright orientation.',
    )
    class_weights: Literal['none', 'balanced'] = pydantic.Field(
        default='none',
        description='balanced: rare classes are weighted up, so that all classes count the same.',
    )
    soft_labels: bool = pydantic.Field(
        default=True, description='Train towards the confidence of each label instead of certainty.'
    )
    test_time_augmentation: Views = pydantic.Field(
        default='none',
        description='Mirrored views over which the model averages its answer. flip: left to right, '
        'twice the time per image; flips: also upside down, four times.',
    )
    tuned: bool = pydantic.Field(
        default=False,
        description='Let the newest settings that thawline tune chose override those here.',
    )
    refit: Literal['auto', 'never'] = pydantic.Field(
        default='auto',
        description='Whether what was chosen is fitted anew to all images, val too, before it '
        'ships. auto: the head on the frozen base always, which takes seconds; fine-tuning of at '
        'most 2,000 images, where a budget has room for it. With folds, the mean of their '
        'fine-tuned weights ships, which have learned from all images.',
    )
    fine_tune: FineTune = FineTune()
    decision: Decision = Decision()

    @property
    def views_augmentation(self) -> PolicyName:
        """The policy of the Embedder's views, which are made before `auto` is resolved."""
        return 'flip' if self.augmentation == 'auto' else self.augmentation
