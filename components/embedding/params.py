"""The settings of the Embedder."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from thawline.components.shared.settings import Section


class Embedding(Section):
    """What is kept of each image after the frozen base; the first phase of training reads it."""

    features: Literal['top', 'blocks'] = pydantic.Field(
        default='blocks',
        description='top: the mean of the last feature map; blocks: means of earlier stages too.',
    )
    views: Annotated[int, pydantic.Field(ge=0, le=16)] = pydantic.Field(
        default=0,
        description='Augmented copies of each training image, beside the plain one; mirrored ones '
        'where training.augmentation is auto.',
    )
