"""Puts the last blessed model's images into the cache key of the data audit."""

from __future__ import annotations

from tfx.orchestration.portable import data_types

from thawline.components.data_audit import earlier_run
from thawline.components.shared import driver, property_names


class Driver(driver.Driver):
    """Driver of the DataAudit."""

    PROPERTY = property_names.EARLIER_RUN

    def value(self, execution_info: data_types.ExecutionInfo) -> str:
        """The run whose images new ones are held against; empty where there is none."""
        if self._metadata_handle is None:
            return earlier_run.NONE
        (present,) = execution_info.input_dict['embeddings']
        with self._metadata_handle as handle:
            run = earlier_run.find(handle.store, execution_info.pipeline_info.id, present.id)
        return run.to_text() if run else earlier_run.NONE
