"""TFX's BulkInferrer as our models need it: bounded batches, and answers that are strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tfx.components.bulk_inferrer import executor
from tfx_bsl.beam import run_inference
from tfx_bsl.public.proto import model_spec_pb2

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
