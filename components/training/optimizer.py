"""AdamW whose rate falls from the top block towards the stem, with warm-up and cosine decay."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras

from thawline.components.backbones import classifier
from thawline.components.training import params


class LayerwiseAdamW(keras.optimizers.AdamW):
    """AdamW with a learning rate multiple for each variable.

    Scaling gradients instead would not do, because Adam divides by their size. One optimizer and
    not `keras.optimizers.MultiOptimizer` with one for each block, which is slower: for ten blocks
    of MobileNetV2 on 2 cores, a first step of 3.6 to 3.8 s against 2.3 to 3.0 s, and 0.12 to 0.14 s
    a step against 0.11 to 0.12 s.
    """

    def __init__(self, multiples: Mapping[str, float], **settings: Any) -> None:
        """`multiples`: `variable.path` -> multiple; 1 for all others."""
        super().__init__(**settings)
        self._by_path = dict(multiples)
        self._multiples: list[float] = []

    def build(self, variables: list[keras.Variable]) -> None:
        """As AdamW's; puts the multiples in the order of the variables."""
        super().build(variables)
        self._multiples = [self._by_path.get(variable.path, 1.0) for variable in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """As AdamW's, at the variable's own rate."""
        own = learning_rate * self._multiples[self._get_variable_index(variable)]
        super().update_step(gradient, variable, own)

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """As AdamW's, decoupled and in proportion to the variable's own rate."""
        share = self.learning_rate * self.weight_decay
        for variable in variables:
            if self._use_weight_decay(variable):
                own = share * self._multiples[self._get_variable_index(variable)]
                variable.assign(variable - variable * own)


def block_multiples(decay: float, thawed: int) -> list[float]:
    """Multiple of each thawed block from the lowest to the top one; the top block has 1."""
    return [decay ** (thawed - 1 - i) for i in range(thawed)]


def learning_rate(peak: float, step: int, steps: int, warmup: float) -> float:
    """The common rate of step 0 to steps - 1: up to `peak` in a share of them, then a cosine to 0.

    Assigned before each step, not computed by a schedule in the graph: the number of steps may be
    known only after the graph was traced and timed.
    """
    warm = int(steps * warmup)
    if step < warm:
        return peak * (step + 1) / (warm + 1)
    return peak * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2


def build(
    classifier: classifier.Classifier, settings: params.FineTune, thawed: int
) -> LayerwiseAdamW:
    """The optimizer of the second phase; the head learns as the top block does.

    Built for all variables that are trainable now; assign its `learning_rate` before each step.
    """
    blocks = classifier.backbone.blocks[len(classifier.backbone.blocks) - thawed :]
    multiples = {}
    for block, multiple in zip(blocks, block_multiples(settings.block_decay, thawed), strict=True):
        for layer in block.layers:
            multiples.update({v.path: multiple for v in layer.trainable_variables})
    optimizer = LayerwiseAdamW(
        multiples,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        use_ema=settings.average > 0,
        ema_momentum=settings.average,
    )
    # Decaying biases and BatchNorm scales towards 0 would undo what pretraining found.
    optimizer.exclude_from_weight_decay(var_names=['bias', 'gamma', 'beta'])
    optimizer.build(classifier.model.trainable_variables)
    return optimizer
