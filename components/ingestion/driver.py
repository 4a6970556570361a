"""Puts a fingerprint of the source into the cache key, so that changed images run anew."""

from __future__ import annotations

import uuid
from typing import Any

from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared import driver
from thawline.components.shared.errors import UserError
from thawline.components.shared.property_names import SOURCE_FINGERPRINT, SOURCE_SPEC


class Driver(driver.Driver):
    """Driver of ImageExampleGen."""

    PROPERTY = SOURCE_FINGERPRINT

    def value(self, exec_properties: dict[str, Any]) -> str:
        """The fingerprint; for a source that cannot be listed, a value that never recurs.

        The executor then runs and raises the error, and the launcher records a failed execution.
        """
        try:
            return list_source(SourceSpec.from_json(str(exec_properties[SOURCE_SPEC]))).fingerprint
        except UserError:
            return f'unlisted-{uuid.uuid4()}'
