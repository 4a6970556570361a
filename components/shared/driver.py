"""The base of drivers, which see the world outside before TFX looks into its cache."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import base_driver as classic_base_driver
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.portable import base_driver, data_types
from tfx.proto.orchestration import driver_output_pb2


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

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Adds the property."""
        output = driver_output_pb2.DriverOutput()
        value = self.value(dict(execution_info.exec_properties))
        data_types_utils.set_metadata_value(output.exec_properties[self.PROPERTY], value)
        return output

    def value(self, exec_properties: dict[str, Any]) -> str:
        """The value of the property; an error here would leave the execution as running."""
        raise NotImplementedError
