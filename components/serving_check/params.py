"""What is asked of an exported model before it is pushed."""

from __future__ import annotations

from typing import Annotated

import pydantic

from thawline.components.shared.settings import (
    Count,
    Duration,
    Positive,
    Section,
    Share,
    seconds_of,
)


class ServingCheckSettings(Section):
    """What a fresh process that has only TensorFlow must find."""

    images: Annotated[int, pydantic.Field(ge=1, le=1000)] = pydantic.Field(
        default=16, description='Val images that are replayed through each signature.'
    )
    tolerance: Share = pydantic.Field(
        default=0.001, description='Most that a probability may differ from what was evaluated.'
    )
    max_latency_ms: Positive | None = pydantic.Field(
        default=None,
        description='Most milliseconds for the bytes of one image (95th percentile).',
    )
    max_memory_mb: Positive | None = pydantic.Field(
        default=None, description='Most megabytes that the process may take for single images.'
    )
    max_cold_start: Duration | None = pydantic.Field(
        default=None, description='Longest time from loading the model to its first answer, as 5s.'
    )
    huge_pixels: Count = pydantic.Field(
        default=25_000_000, description='Pixels of the huge image that it is asked about.'
    )
    timeout: Duration = pydantic.Field(
        default='2m', description='Time after which one request counts as hanging.'
    )

    @property
    def timeout_seconds(self) -> float:
        """Of one request."""
        return seconds_of(self.timeout)
