"""LiteRT (TensorFlow Lite): float, dynamic range, and full int8 calibrated on training images.

All take pixels uint8 [N, S, S, 3] and give probabilities float32 [N, C]. Sources:
https://ai.google.dev/edge/litert/models/post_training_quantization.
"""

from __future__ import annotations

import pathlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from thawline.components.export import format_libraries

FILE = 'model.tflite'
CALIBRATION_IMAGES = 200


def convert(loaded: Any, kind: str, size: int, calibration: np.ndarray) -> bytes:
    """The model as a flatbuffer.

    Args:
        loaded: SavedModel with the function `probabilities` (`components.saved_model.signatures`).
        kind: 'litert', 'litert_dynamic' or 'litert_int8'.
        size: side of its images in pixels.
        calibration: training images, uint8 [n, S, S, 3]; those of int8 alone are used.
    """
    pixels = tf.TensorSpec([None, size, size, 3], tf.uint8, name='pixels')

    # A function of its own, whose input and output have names.
    @tf.function(input_signature=[pixels])
    def serve(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {'probabilities': loaded.probabilities(pixels)}

    concrete = serve.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], loaded)
    if kind != 'litert':
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == 'litert_int8':

        def images() -> Iterator[list[np.ndarray]]:
            for image in calibration:
                yield [image[None]]

        converter.representative_dataset = images
        # Fails where an operation has no int8 form, rather than falling back to float in silence.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    flat: bytes = converter.convert()
    return flat


def runner(file: pathlib.Path, threads: int = 2) -> Callable[[np.ndarray], np.ndarray]:
    """Loads a flatbuffer: uint8 [N, S, S, 3] -> float32 [N, C]."""
    interpreter = _interpreter(str(file), threads)
    (input_details,), (output_details,) = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )
    shape: list[tuple[int, ...]] = []

    def run(pixels: np.ndarray) -> np.ndarray:
        if shape[-1:] != [pixels.shape]:
            interpreter.resize_tensor_input(input_details['index'], pixels.shape)
            interpreter.allocate_tensors()
            shape[:] = [pixels.shape]
        interpreter.set_tensor(input_details['index'], pixels)
        interpreter.invoke()
        found: np.ndarray = interpreter.get_tensor(output_details['index'])
        return found

    return run


def library() -> str:
    """What converts and what runs, with versions."""
    if format_libraries.there(format_libraries.RUNTIME):
        return format_libraries.versions('tensorflow', 'ai-edge-litert')
    return format_libraries.versions('tensorflow')


def _interpreter(path: str, threads: int) -> Any:
    if format_libraries.there(format_libraries.RUNTIME):
        from ai_edge_litert import interpreter as runtime

        return runtime.Interpreter(path, num_threads=threads)
    with warnings.catch_warnings():
        # TensorFlow's own interpreter is to move to ai-edge-litert, which is not always there.
        warnings.simplefilter('ignore')
        return tf.lite.Interpreter(path, num_threads=threads)
