"""One training step, compiled: forward, loss, gradients, update."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from thawline.components.backbones import classifier

Step = Callable[[classifier.NetworkInput, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def compile_step(
    network: keras.Model,
    weights: Sequence[keras.Variable],
    adam: keras.optimizers.Optimizer,
    inputs: tf.TensorSpec | list[tf.TensorSpec],
) -> Step:
    """One step: (inputs of n images, float32 [n, C]) -> (sum of the losses, number of hits).

    Not `Model.fit`: its first step creates the variables of its metrics and is therefore traced
    twice, which for a few hundred images is a tenth of the whole training.

    Args:
        network: to the logits.
        weights: trained.
        adam: built for these weights, and possibly others.
        inputs: of the network; the step is traced once, now, for all that this allows.
    """

    @tf.function(
        input_signature=[inputs, tf.TensorSpec([None, network.output_shape[-1]], tf.float32)],
        autograph=False,
    )
    def step(images: classifier.NetworkInput, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = network(images, training=True)  # (n, C)
            losses = -tf.reduce_sum(targets * tf.nn.log_softmax(logits))
            loss = losses / tf.cast(tf.shape(targets)[0], tf.float32)
        adam.apply(tape.gradient(loss, weights), weights)
        right = tf.equal(tf.argmax(logits, axis=1), tf.argmax(targets, axis=1))
        return losses, tf.reduce_sum(tf.cast(right, tf.float32))

    step.get_concrete_function()
    return step
