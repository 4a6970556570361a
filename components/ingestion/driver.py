"""Puts a fingerprint of the source into the cache key, and the splits that its images keep."""

from __future__ import annotations

import pathlib
import uuid
from collections.abc import Mapping
from typing import Any

from tfx.orchestration import data_types_utils
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from thawline.components.ingestion import earlier_ingestions, split_history
from thawline.components.ingestion.fingerprint import ContentDigests, fingerprint
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared import driver, property_names


class Driver(driver.Driver):
    """Driver of ImageExampleGen."""

    PROPERTY = property_names.SOURCE_FINGERPRINT

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Adds the fingerprint and, by a digest, the splits that an earlier ingestion made."""
        output = super().run(execution_info)
        read = {
            self.PROPERTY: output.exec_properties[self.PROPERTY].string_value,
            **execution_info.exec_properties,
        }
        data_types_utils.set_metadata_value(
            output.exec_properties[property_names.SPLIT_HISTORY],
            self._history(execution_info, read),
        )
        return output

    def _history(
        self, execution_info: data_types.ExecutionInfo, properties: Mapping[str, Any]
    ) -> str:
        if self._metadata_handle is None:
            return split_history.NONE
        pipeline = execution_info.pipeline_info.id
        node = f'{pipeline}.{execution_info.pipeline_node.node_info.id}'
        try:
            with self._metadata_handle as handle:
                return earlier_ingestions.history_digest(handle.store, node, properties)
        except OSError:  # an error here would leave the execution recorded as running
            return f'{split_history.UNREAD}{uuid.uuid4()}'

    def value(self, execution_info: data_types.ExecutionInfo) -> str:
        """The fingerprint; digests of files are kept beside the artifacts of the node.

        Raises:
            UserError: the source cannot be listed.
        """
        examples = pathlib.Path(execution_info.output_dict['examples'][0].uri)
        node = examples.parents[1]  # <node>/examples/<execution>
        return fingerprint(self.listing(execution_info), ContentDigests(node))

    def listing(self, execution_info: data_types.ExecutionInfo) -> Listing:
        """What the source holds."""
        spec = str(execution_info.exec_properties[property_names.SOURCE_SPEC])
        return list_source(SourceSpec.from_json(spec))
