"""The choice between the frozen base, the fine-tuned weights, and weights between both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import keras
import numpy as np

from thawline.components.training.model_selection import ValPredictions, choose
from thawline.components.training.record import CalibratedScores

SHARES = (0.25, 0.5, 0.75)


@dataclasses.dataclass(frozen=True)
class Interpolation:
    """What was kept.

    Attributes:
        share: from the frozen base (0) to the fine-tuned model (1).
        predictions: of each share, without those whose logits are not finite.
        candidates: their scores.
    """

    share: float
    predictions: Mapping[float, ValPredictions]
    candidates: Mapping[float, CalibratedScores]

    @property
    def best(self) -> ValPredictions:
        """Predictions of what was kept."""
        return self.predictions[self.share]


def keep_best(
    network: keras.Model,
    frozen: tuple[list[np.ndarray], ValPredictions],
    tuned: ValPredictions,
    predict_val: Callable[[], np.ndarray],
    labels: np.ndarray,
) -> Interpolation:
    """Puts the weights that are best on val into the model.

    Fine-tuning on little data can lose what the frozen base had, so it is shipped only when it is
    better (`choose`). Weights on the line between both are often better than either (Wortsman et
    al., "Robust fine-tuning of zero-shot models", CVPR 2022), and cost one prediction of val each.

    Args:
        network: has the fine-tuned weights.
        frozen: values of `network.variables` before fine-tuning, and their predictions.
        tuned: predictions of the fine-tuned weights.
        predict_val: logits of val by the present weights.
        labels: of val, int [N] in [0, C).
    """
    before, probed = frozen
    after = [variable.numpy() for variable in network.variables]
    predictions = {0.0: probed, 1.0: tuned}
    for share in SHARES:
        assign(network, before, after, share)
        logits = predict_val()
        if np.isfinite(logits).all():
            predictions[share] = ValPredictions.score(logits, labels)
    candidates = {s: p.calibrated_scores(labels) for s, p in sorted(predictions.items())}
    best = choose(candidates)
    assign(network, before, after, best)
    return Interpolation(best, predictions, candidates)


def assign(
    network: keras.Model, before: list[np.ndarray], after: list[np.ndarray], share: float
) -> None:
    """Puts weights between two into the model: `share` of the way from `before` to `after`."""
    for variable, start, end in zip(network.variables, before, after, strict=True):
        floating = np.issubdtype(start.dtype, np.floating)
        between = start + share * (end - start) if floating and 0 < share < 1 else end
        variable.assign(start if share == 0 else between)
