"""The settings of the Embedder."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from thawline.components.shared.settings import Section


class Embedding(Section):
    """Features of each image by the frozen base, for the first phase of training."""

    features: Literal['top', 'blocks'] = pydantic.Field(
        default='blocks',
        description='top: the mean of the last feature map; blocks: also those of earlier stages.',
    )
    views: Annotated[int, pydantic.Field(ge=0, le=16)] = pydantic.Field(
        default=0,
        description='Augmented copies of each training image, in addition to the plain one; '
        'mirrored ones if training.augmentation is auto.',
    )
