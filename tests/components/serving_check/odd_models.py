"""SavedModels that do to a process what no model should."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import tensorflow as tf

Outputs = dict[str, tf.Tensor]


def save(folder: pathlib.Path, on_nothing: Callable[[tf.Tensor], tf.Tensor]) -> pathlib.Path:
    """A model that answers (0.75, 0.25) to every image, and does `on_nothing` for empty bytes.

    Args:
        on_nothing: gets the bytes and gives a float32 [] that is added to nothing.
    """

    def answer(n: tf.Tensor) -> Outputs:
        probabilities = tf.repeat(tf.constant([[0.75, 0.25]]), n, axis=0)
        return {
            'probabilities': probabilities,
            'label': tf.repeat(tf.constant(['yes']), n),
            'score': probabilities[:, 0],
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name='image_bytes')])
    def image_bytes(image_bytes: tf.Tensor) -> Outputs:
        nothing = tf.reduce_any(tf.equal(image_bytes, ''))
        more = tf.cond(nothing, lambda: on_nothing(image_bytes), lambda: tf.constant(0.0))
        found = answer(tf.shape(image_bytes)[0])
        return {**found, 'score': found['score'] + more}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name='examples')])
    def examples(examples: tf.Tensor) -> Outputs:
        return answer(tf.shape(examples)[0])

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name='pixels')])
    def pixels(pixels: tf.Tensor) -> Outputs:
        return answer(tf.shape(pixels)[0])

    signatures = {
        'serving_bytes': image_bytes, 'serving_default': examples, 'serving_pixels': pixels,
    }  # fmt: skip
    tf.saved_model.save(tf.Module(), str(folder), signatures=signatures)
    return folder


def crash(_: tf.Tensor) -> tf.Tensor:
    """Ends the process at once."""
    with tf.control_dependencies([tf.raw_ops.Abort(error_msg='of no use')]):
        return tf.constant(0.0)


def hang(_: tf.Tensor) -> tf.Tensor:
    """Waits for ever, without computing anything, but can be cancelled."""
    queue = tf.raw_ops.FIFOQueueV2(component_types=[tf.float32], shapes=[[]])
    (item,) = tf.raw_ops.QueueDequeueV2(handle=queue, component_types=[tf.float32])
    return item
