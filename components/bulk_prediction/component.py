"""Two nodes by choice: unlabelled images as tf.Examples, and TFX's BulkInferrer with them."""

from __future__ import annotations

import json

from tfx import types
from tfx.components.bulk_inferrer import component as bulk_inferrer
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from thawline.components.bulk_prediction import driver, executor, inferrer
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.ingestion.params import Columns


class UnlabelledExampleGenSpec(component_spec.ComponentSpec):
    """Contract of UnlabelledExampleGen."""

    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {
        'examples': component_spec.ChannelParameter(type=standard_artifacts.Examples),
        'quarantine': component_spec.ChannelParameter(type=Quarantine),
    }
    PARAMETERS = {
        'source': component_spec.ExecutionParameter(type=str),
        'columns': component_spec.ExecutionParameter(type=str),
        'max_side': component_spec.ExecutionParameter(type=int),
        'max_pixels': component_spec.ExecutionParameter(type=int),
        'code_digest': component_spec.ExecutionParameter(type=str),
    }


class UnlabelledExampleGen(base_beam_component.BaseBeamComponent):
    """Reads images as `thawline predict` does, into tf.Examples as ImageExampleGen writes them.

    Outputs:
        examples: `standard_artifacts.Examples` with the one split `unlabelled`.
        quarantine: `Quarantine`, what could not be used and why.
    """

    SPEC_CLASS = UnlabelledExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(
        self, source: str, columns: Columns, max_side: int, max_pixels: int, code_digest: str = ''
    ) -> None:
        """The source is looked at when the node runs.

        Args:
            source: as `components.bulk_prediction.listing.of_sources` takes one.
            columns: names in a CSV or in TFRecords.
            max_side: longest side of stored images, pixels.
            max_pixels: images with more are quarantined undecoded.
            code_digest: of the code that runs; part of the cache key.
        """
        super().__init__(
            UnlabelledExampleGenSpec(
                source=source,
                columns=json.dumps(columns.model_dump(), sort_keys=True),
                max_side=max_side,
                max_pixels=max_pixels,
                code_digest=code_digest,
                examples=types.Channel(type=standard_artifacts.Examples),
                quarantine=types.Channel(type=Quarantine),
            )
        )


class ImageBulkInferrer(bulk_inferrer.BulkInferrer):
    """TFX's BulkInferrer in everything but its executor."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(inferrer.Executor)
