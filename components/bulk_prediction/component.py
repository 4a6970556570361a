"""Two nodes by choice: unlabelled images as tf.Examples, and TFX's BulkInferrer with them."""

from __future__ import annotations

from tfx.proto import bulk_inferrer_pb2
from tfx.types import BaseChannel, standard_artifacts

from thawline.components.bulk_prediction import driver, executor, inferrer
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.ingestion.params import Columns
from thawline.components.shared import node_names
from thawline.components.shared.artifacts import ServingRecord
from thawline.components.shared.component import Component


class UnlabelledExampleGen(Component):
    """Reads images as `thawline predict` does, into tf.Examples as ImageExampleGen writes them.

    The source is looked at when the node runs; the examples have the one split `unlabelled`.
    """

    EXECUTOR = executor.Executor
    DRIVER_CLASS = driver.Driver
    OPTIONAL_INPUTS = {'trained_on': standard_artifacts.Examples}  # for their depth
    OUTPUTS = {'examples': standard_artifacts.Examples, 'quarantine': Quarantine}
    PARAMETERS = {
        'source': str,  # as `components.bulk_prediction.listing.of_sources` takes one
        'columns': Columns,
        'max_side': int,  # longest side of stored images, pixels
        'max_pixels': int,  # images with more are quarantined undecoded
    }


class ImageBulkInferrer(Component):
    """TFX's BulkInferrer, held to what a push is held to.

    TFX's takes no blessing but the Evaluator's. A model that the serving check refused answers
    otherwise than it was evaluated, or not at all: its predictions are no better than its service.
    """

    NAME = node_names.BULK_INFERRER
    EXECUTOR = inferrer.Executor
    INPUTS = {
        'examples': standard_artifacts.Examples,
        'model': standard_artifacts.Model,
        'model_blessing': standard_artifacts.ModelBlessing,
        'infra_blessing': standard_artifacts.InfraBlessing,
        'serving_record': ServingRecord,
    }
    OUTPUTS = {'inference_result': standard_artifacts.InferenceResult}
    PARAMETERS = {
        'data_spec': bulk_inferrer_pb2.DataSpec,
        'model_spec': bulk_inferrer_pb2.ModelSpec,
    }

    def __init__(self, **inputs: BaseChannel) -> None:
        """The signature and the splits are TFX's defaults."""
        super().__init__(
            data_spec=bulk_inferrer_pb2.DataSpec(),
            model_spec=bulk_inferrer_pb2.ModelSpec(),
            **inputs,
        )
