"""Keeps the Pusher out of the cache: what is in staging by now is for it to see."""

from __future__ import annotations

import uuid

from tfx.orchestration.portable import data_types

from thawline.components.shared import driver, property_names


class Driver(driver.Driver):
    """Driver of the Pusher."""

    PROPERTY = property_names.ATTEMPT

    def value(self, execution_info: data_types.ExecutionInfo) -> str:
        """A value that never recurs."""
        return str(uuid.uuid4())
