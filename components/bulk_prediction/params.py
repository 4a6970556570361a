"""Settings of batch prediction inside the chain."""

from __future__ import annotations

import pydantic

from thawline.components.shared.settings import Section


class Bulk(Section):
    """Images that every run predicts with the model that it has made, if it was pushed."""

    data: str = pydantic.Field(
        description='A folder of images, a CSV with a column of paths, TFRecord files (a pattern), '
        'or one image; labels are not needed and not looked at.'
    )
