"""Puts a fingerprint of the source into the cache key, so that changed images run anew."""

from __future__ import annotations

import uuid

from tfx.dsl.components.base import base_driver as classic_base_driver
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.portable import base_driver, data_types
from tfx.proto.orchestration import driver_output_pb2

from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared.errors import UserError
from thawline.components.shared.property_names import SOURCE_FINGERPRINT, SOURCE_SPEC


class Driver(classic_base_driver.BaseDriver, base_driver.BaseDriver):
    """Driver of ImageExampleGen.

    Two bases, as TFX's own ExampleGen driver has: components only accept the older one, the
    launcher calls `run` of the newer one.
    """

    def __init__(self, metadata_handle: metadata.Metadata) -> None:
        """Keeps the handle, as both bases ask for."""
        classic_base_driver.BaseDriver.__init__(self, metadata_handle)
        base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Adds the execution property `source_fingerprint`.

        A source that cannot be listed gets a value that never recurs: the executor then runs and
        raises the error, and the launcher records a failed execution. An error raised here would
        leave the execution recorded as running.
        """
        spec = SourceSpec.from_json(str(execution_info.exec_properties[SOURCE_SPEC]))
        try:
            value = list_source(spec).fingerprint
        except UserError:
            value = f'unlisted-{uuid.uuid4()}'
        output = driver_output_pb2.DriverOutput()
        data_types_utils.set_metadata_value(output.exec_properties[SOURCE_FINGERPRINT], value)
        return output
