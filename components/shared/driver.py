"""The base of drivers, which see the world outside before TFX looks into its cache."""

from __future__ import annotations

import uuid
from typing import ClassVar

from tfx.dsl.components.base import base_driver as classic_base_driver
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.portable import base_driver, data_types
from tfx.proto.orchestration import driver_output_pb2

from thawline.components.shared.errors import UserError


class Driver(classic_base_driver.BaseDriver, base_driver.BaseDriver):
    """Adds a property to an execution, and so to its cache key.

    Two bases, as TFX's own ExampleGen driver has: components only accept the older one, the
    launcher calls `run` of the newer one.

    PROPERTY: its name.
    """

    PROPERTY: ClassVar[str]

    def __init__(self, metadata_handle: metadata.Metadata) -> None:
        """Keeps the handle, as both bases ask for."""
        classic_base_driver.BaseDriver.__init__(self, metadata_handle)
        base_driver.BaseDriver.__init__(self, metadata_handle)

    def value(self, execution_info: data_types.ExecutionInfo) -> str:
        """The value of the property: a digest of something that lies outside the artifacts.

        Raises:
            UserError: it cannot be read.
        """
        raise NotImplementedError

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Adds the property.

        What cannot be read gets a value that never recurs: the executor then runs and raises the
        error, and the launcher records a failed execution. An error raised here would leave the
        execution recorded as running.
        """
        try:
            value = self.value(execution_info)
        except (UserError, OSError):
            value = f'unread-{uuid.uuid4()}'
        output = driver_output_pb2.DriverOutput()
        data_types_utils.set_metadata_value(output.exec_properties[self.PROPERTY], value)
        return output
