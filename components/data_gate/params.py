"""Settings of the data gate."""

from __future__ import annotations

from typing import Literal

import pydantic

from thawline.components.shared.settings import Count, Section, Share


class DataPolicy(Section):
    """Which problems of the data stop a run before training."""

    min_images_per_class: Count = pydantic.Field(
        default=10, description='Over all splits; a class with fewer images stops the run.'
    )
    max_quarantined: Share = pydantic.Field(
        default=0.05, description='Largest share of unusable files; more stop the run.'
    )
    anomalies: Literal['stop', 'warn'] = pydantic.Field(
        default='stop', description='Whether deviations from the schema stop the run.'
    )
