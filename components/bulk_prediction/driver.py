"""Puts a fingerprint of the unlabelled images into the cache key, as ImageExampleGen has it."""

from __future__ import annotations

import uuid

from tfx.orchestration import data_types_utils
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from thawline.components.bulk_prediction import executor
from thawline.components.ingestion import driver
from thawline.components.shared import property_names
from thawline.components.shared.errors import UserError


class Driver(driver.Driver):
    """Driver of UnlabelledExampleGen."""

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Adds the execution property `source_fingerprint`.

        A source that cannot be listed gets a value that never recurs, so that the executor runs and
        raises the error.
        """
        try:
            value = executor.listing_of(dict(execution_info.exec_properties))[0].fingerprint
        except UserError:
            value = f'unlisted-{uuid.uuid4()}'
        output = driver_output_pb2.DriverOutput()
        data_types_utils.set_metadata_value(
            output.exec_properties[property_names.SOURCE_FINGERPRINT], value
        )
        return output
