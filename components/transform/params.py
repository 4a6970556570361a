"""Settings of Transform."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from thawline.components.shared.settings import Section


class Preprocessing(Section):
    """Decoding and resizing, the same in training and in serving."""

    image_size: Annotated[int, pydantic.Field(ge=32, le=1024)] | None = pydantic.Field(
        default=None, description="Side in pixels; default: the base's own."
    )
    resize: Literal['stretch', 'crop', 'letterbox'] = pydantic.Field(
        default='stretch',
        description='stretch ignores the aspect ratio; crop keeps the central square; letterbox '
        'keeps the whole image between grey bars.',
    )
