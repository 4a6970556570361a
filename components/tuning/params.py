"""The settings of `thawline tune`."""

from __future__ import annotations

from typing import Annotated

import pydantic

from thawline.components.shared.settings import Count, Duration, Section


class Tuning(Section):
    """The search for better training settings, with thawline tune."""

    trials: Annotated[int, pydantic.Field(ge=1, le=50)] = pydantic.Field(
        default=6,
        description='Maximum number of trainings to compare; the first uses the present settings.',
    )
    epochs: Count = pydantic.Field(
        default=3,
        description='Epochs of fine-tuning in each training; at most those of training.fine_tune.',
    )
    budget: Duration | None = pydantic.Field(
        default=None,
        description='Time limit, such as 10m; a training that would exceed it is not started.',
    )
