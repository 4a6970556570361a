"""TFX's BulkInferrer as our models need it: of pushable ones, in bounded batches, with strings."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tfx.components.bulk_inferrer import executor
from tfx.components.util import model_utils
from tfx.types.artifact import Artifact
from tfx.utils import path_utils
from tfx_bsl.beam import run_inference
from tfx_bsl.public.proto import model_spec_pb2

from thawline.components.shared import judged_files, node_names
from thawline.components.shared.executor import Artifacts

# Beam would let batches grow to 1,000 images, whose activations take gigabytes.
BATCH = 64

_THEIRS = run_inference._PredictModelHandler


class BoundedHandler(run_inference._PredictModelHandler):
    """What runs the model, where an output may be one string an image.

    tfx-bsl 1.21 asks each value of an output for its dtype, which the strings of TensorFlow do not
    have: "'bytes' object has no attribute 'dtype'". Those of NumPy have one.
    """

    def _post_process(
        self, examples: Sequence[Any], serialized: Sequence[bytes], outputs: Mapping[str, Any]
    ) -> Any:
        typed = {
            name: values.astype(np.bytes_) if values.dtype == object else values
            for name, values in outputs.items()
        }
        return super()._post_process(examples, serialized, typed)


class Executor(executor.Executor):
    """TFX's executor with batches of 64 images and our handler."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As TFX's, which looks at the Evaluator's blessing; nothing is predicted without both.

        Raises:
            ConfigError: the model has changed since the serving check asked it.
        """
        inputs = Artifacts(input_dict)
        if not model_utils.is_infra_validated(inputs['infra_blessing']):
            logging.info('nothing is predicted: the model did not pass the serving check')
            return
        model = pathlib.Path(path_utils.serving_model_path(inputs['model'].uri))
        what = 'the model that the serving check asked'
        judged_files.check(model, inputs['serving_record'], what, node_names.EXPORTER)
        super().Do(input_dict, output_dict, exec_properties)

    def _get_inference_spec(
        self, model_path: str, exec_properties: dict[str, Any]
    ) -> model_spec_pb2.InferenceSpecType:
        spec = super()._get_inference_spec(model_path, exec_properties)
        spec.batch_parameters.max_batch_size = BATCH
        return spec

    def _run_model_inference(self, *args: Any) -> None:
        # The handler is chosen by its name when the pipeline is built; workers get what was chosen.
        run_inference._PredictModelHandler = BoundedHandler
        try:
            super()._run_model_inference(*args)
        finally:
            run_inference._PredictModelHandler = _THEIRS
