"""Puts a fingerprint of the unlabelled images into the cache key, as ImageExampleGen has it."""

from __future__ import annotations

from tfx.orchestration.portable import data_types

from thawline.components.bulk_prediction import executor
from thawline.components.bulk_prediction.listing import to_ingest
from thawline.components.ingestion import driver
from thawline.components.ingestion.source_types import Listing


class Driver(driver.Driver):
    """Driver of UnlabelledExampleGen."""

    def listing(self, execution_info: data_types.ExecutionInfo) -> Listing:
        """What the source holds."""
        listing, _ = executor.listing_of(dict(execution_info.exec_properties))
        return to_ingest(listing)
