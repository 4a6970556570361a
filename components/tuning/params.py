"""The settings of the search for settings."""

from __future__ import annotations

from typing import Annotated

import pydantic

from thawline.components.shared.settings import Count, Duration, Section


class Tuning(Section):
    """`thawline tune`: how much is tried. What is tried is in `components.tuning.space`."""

    trials: Annotated[int, pydantic.Field(ge=1, le=50)] = pydantic.Field(
        default=6,
        description='Trainings that are compared at most; the first has the present settings.',
    )
    epochs: Count = pydantic.Field(
        default=3, description='Epochs of fine-tuning in each, at most as many as in training.'
    )
    budget: Duration | None = pydantic.Field(
        default=None,
        description='Time for tuning, such as 10m; no training starts that would not fit.',
    )
