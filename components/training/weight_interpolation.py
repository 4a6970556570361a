"""The choice between the frozen base, the fine-tuned weights, and weights between both."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np

from thawline.components.training.model_selection import ValPredictions, choose
from thawline.components.training.record import CalibratedScores

SHARES = (0.25, 0.5, 0.75)


def keep_best(
    network: keras.Model,
    frozen: tuple[list[np.ndarray], ValPredictions],
    tuned: ValPredictions,
    predict_val: Callable[[], np.ndarray],
    labels: np.ndarray,
) -> tuple[ValPredictions, float, Mapping[float, CalibratedScores]]:
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

    Returns:
        Predictions of the best weights; their share, from the frozen base (0) to the fine-tuned
        model (1); and all candidates by share, without those whose logits are not finite.
    """
    variables, (before, probed) = network.variables, frozen
    after = [variable.numpy() for variable in variables]

    def assign(share: float) -> None:
        for variable, start, end in zip(variables, before, after, strict=True):
            floating = np.issubdtype(start.dtype, np.floating)
            between = start + share * (end - start) if floating and 0 < share < 1 else end
            variable.assign(start if share == 0 else between)

    predictions = {0.0: probed, 1.0: tuned}
    for share in SHARES:
        assign(share)
        logits = predict_val()
        if np.isfinite(logits).all():
            predictions[share] = ValPredictions.score(logits, labels)
    candidates = {s: p.calibrated_scores(labels) for s, p in sorted(predictions.items())}
    best = choose(candidates)
    assign(best)
    return predictions[best], best, candidates
