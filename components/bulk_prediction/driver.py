"""Puts a fingerprint of the unlabelled images into the cache key, as ImageExampleGen has it."""

from __future__ import annotations

import uuid
from typing import Any

from thawline.components.bulk_prediction import executor
from thawline.components.shared import driver, property_names
from thawline.components.shared.errors import UserError


class Driver(driver.Driver):
    """Driver of UnlabelledExampleGen."""

    PROPERTY = property_names.SOURCE_FINGERPRINT

    def value(self, exec_properties: dict[str, Any]) -> str:
        """The fingerprint, or a value that never recurs, so that the executor raises the error."""
        try:
            return executor.listing_of(exec_properties)[0].fingerprint
        except UserError:
            return f'unlisted-{uuid.uuid4()}'
