"""From when on new images count as different from those that a model learned from."""

from __future__ import annotations

import pydantic

from thawline.components.shared.settings import Count, Rate, Section, Share


class Drift(Section):
    """What `thawline drift` calls drift: beyond chance, and larger than this."""

    level: Rate = pydantic.Field(
        default=0.05,
        description='Chance of a false alarm that is accepted, over all that is compared.',
    )
    auroc: Share = pydantic.Field(
        default=0.6,
        description='How well a classifier must tell new images from earlier ones: 0.5 is a guess.',
    )
    numbers: Share = pydantic.Field(
        default=0.1,
        description='Jensen-Shannon divergence from which on the brightness, contrast, sharpness '
        'or size of the images counts.',
    )
    categories: Share = pydantic.Field(
        default=0.1,
        description='Largest change of a share from which on file formats, metadata and predicted '
        'classes count.',
    )
    least_images: Count = pydantic.Field(
        default=20, description='New images, without copies, from which on they can be judged.'
    )
