"""Settings of the Evaluator beside those of the gate."""

from __future__ import annotations

from typing import Annotated

import pydantic

from thawline.components.shared.settings import Count, Section


class Evaluation(Section):
    """Which slices of the val and test images are evaluated separately."""

    smallest_slice: Count = pydantic.Field(
        default=20, description='Slices with fewer images are marked as small and never judged.'
    )
    most_values: Count = pydantic.Field(
        default=50, description='Columns with more values than this are not sliced on.'
    )
    crossed: tuple[Annotated[tuple[str, ...], pydantic.Field(min_length=2)], ...] = pydantic.Field(
        default=(),
        description='Columns to slice on together, such as [[meta_site, brightness_bucket]].',
    )
