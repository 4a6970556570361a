"""ONNX, by tf2onnx; run by ONNX Runtime. Imported where it is asked for alone.

Takes `pixels` uint8 [N, S, S, 3] and gives `probabilities` float32 [N, C]. The card travels in the
file's own metadata too, under the key `thawline`.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from thawline.components.export import format_libraries

FILE = 'model.onnx'
OPSET = 17


def convert(loaded: Any, size: int, about: Mapping[str, Any]) -> bytes:
    """The model as ONNX.

    Args:
        loaded: SavedModel with the function `probabilities` (`components.saved_model.signatures`).
        size: side of its images in pixels.
        about: JSON values that travel in it.
    """
    import onnx
    import tf2onnx

    pixels = tf.TensorSpec([None, size, size, 3], tf.uint8, name='pixels')

    @tf.function(input_signature=[pixels])
    def serve(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {'probabilities': loaded.probabilities(pixels)}

    model, _ = tf2onnx.convert.from_function(serve, input_signature=[pixels], opset=OPSET)
    properties = {'thawline': json.dumps(about, ensure_ascii=False)}
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model)
    text: bytes = model.SerializeToString()
    return text


def runner(file: pathlib.Path, threads: int = 2) -> Callable[[np.ndarray], np.ndarray]:
    """Loads an ONNX file: uint8 [N, S, S, 3] -> float32 [N, C]."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(file), options, providers=['CPUExecutionProvider'])

    def run(pixels: np.ndarray) -> np.ndarray:
        found: np.ndarray = session.run(['probabilities'], {'pixels': pixels})[0]
        return found

    return run


def library() -> str:
    """What converts and what runs, with versions."""
    return format_libraries.versions('tf2onnx', 'onnx', 'onnxruntime')
