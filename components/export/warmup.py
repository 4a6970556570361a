"""Warm-up requests in TensorFlow Serving's format.

A server replays `assets.extra/tf_serving_warmup_requests` before it takes a version into service,
so that no first request waits for the graph to be optimised: TFRecords of PredictionLog
(https://www.tensorflow.org/tfx/serving/saved_model_warmup). Their image is drawn here: none of the
user's images leaves the project with the model.
"""

from __future__ import annotations

import io
import pathlib

import numpy as np
import PIL.Image
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from thawline.components.saved_model.runner import encode_example

FILE = pathlib.Path('assets.extra', 'tf_serving_warmup_requests')
SIZE = (500, 375)  # width and height of a common photograph on the web


def picture(width: int = SIZE[0], height: int = SIZE[1]) -> np.ndarray:
    """A drawn picture: waves and a little noise, uint8 [height, width, 3]."""
    y, x = np.mgrid[:height, :width] / 100
    channels = [128 + 60 * np.sin(a * x + b * y) for a, b in ((3, 1), (1, 4), (2, -3))]
    noise = np.random.default_rng(0).normal(0, 8, (height, width, 3))
    drawn: np.ndarray = (np.stack(channels, axis=-1) + noise).clip(0, 255).astype(np.uint8)
    return drawn


def jpeg(pixels: np.ndarray) -> bytes:
    """Encodes uint8 [H, W, 3]."""
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, 'JPEG', quality=90)
    return file.getvalue()


def inputs() -> dict[str, tuple[str, tf.Tensor]]:
    """One request of each answering signature: signature -> (name of its input, batch of one)."""
    pixels = picture()
    encoded = jpeg(pixels)
    return {
        'serving_bytes': ('image_bytes', tf.constant([encoded])),
        'serving_default': ('examples', tf.constant([encode_example(encoded)])),
        'serving_pixels': ('pixels', tf.constant(pixels[None])),
    }


def write(model: pathlib.Path) -> None:
    """Writes the requests into the folder of a SavedModel."""
    path = model / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, (name, value) in inputs().items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = 'model'  # has to be there; the server knows which it loads
            request.model_spec.signature_name = signature
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())
