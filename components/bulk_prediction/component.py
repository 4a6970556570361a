"""Two nodes by choice: unlabelled images as tf.Examples, and TFX's BulkInferrer with them."""

from __future__ import annotations

from typing import Any

from tfx.components.bulk_inferrer import component as bulk_inferrer
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts

from thawline.components.bulk_prediction import driver, executor, inferrer
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.ingestion.params import Columns
from thawline.components.shared import code_digest, node_names
from thawline.components.shared.component import Component


class UnlabelledExampleGen(Component):
    """Reads images as `thawline predict` does, into tf.Examples as ImageExampleGen writes them.

    The source is looked at when the node runs; the examples have the one split `unlabelled`.
    """

    EXECUTOR = executor.Executor
    DRIVER_CLASS = driver.Driver
    OUTPUTS = {'examples': standard_artifacts.Examples, 'quarantine': Quarantine}
    PARAMETERS = {
        'source': str,  # as `components.bulk_prediction.listing.of_sources` takes one
        'columns': Columns,
        'max_side': int,  # longest side of stored images, pixels
        'max_pixels': int,  # images with more are quarantined undecoded
    }


class ImageBulkInferrer(bulk_inferrer.BulkInferrer):
    """TFX's BulkInferrer in everything but its executor."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(inferrer.Executor)

    def __init__(self, **inputs: Any) -> None:
        """The inputs of TFX's."""
        super().__init__(**inputs)
        self.spec.exec_properties.update(code_digest.key_properties(inferrer.__name__))
        self.with_id(node_names.BULK_INFERRER)
