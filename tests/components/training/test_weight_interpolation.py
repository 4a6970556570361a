"""Weights on the line between the frozen base and the fine-tuned model."""

from __future__ import annotations

import types

import numpy as np
import pytest
import tensorflow as tf

from thawline.components.training import weight_interpolation
from thawline.components.training.model_selection import ValPredictions

LABELS = np.arange(60) % 2


def logits(weight: float) -> np.ndarray:
    """Right for all labels up to one image in (1 + 40 weight), so that each weight differs."""
    answers = LABELS.copy()
    answers[: round(20 * (1 - weight))] ^= 1
    return np.where(np.eye(2)[answers] > 0, 2.0, -2.0).astype(np.float32)


@pytest.mark.parametrize('best', [0.0, 0.25, 0.5, 0.75, 1.0])
def test_each_share_is_scored_under_its_own_name(best: float) -> None:
    network = types.SimpleNamespace(variables=[tf.Variable(5.0), tf.Variable(7)])
    scored: list[float] = []

    def place() -> float:
        """Where the weights lie, from the frozen base, 1, to the fine-tuned model, 5."""
        return (float(network.variables[0].numpy()) - 1) / 4

    def predict() -> np.ndarray:
        scored.append(place())
        return logits(1 - abs(place() - best))

    ends = [ValPredictions.score(logits(1 - abs(at - best)), LABELS) for at in (0.0, 1.0)]
    frozen = ([np.float32(1.0), np.int32(3)], ends[0])
    kept = weight_interpolation.keep_best(network, frozen, ends[1], predict, LABELS)
    assert scored == list(weight_interpolation.SHARES)
    assert {at: round(60 * c.accuracy) for at, c in kept.candidates.items()} == {
        at: 60 - round(20 * abs(at - best)) for at in (0.0, 0.25, 0.5, 0.75, 1.0)
    }
    assert kept.share == best and place() == best and kept.best.val.accuracy == 1.0
    assert network.variables[1].numpy() == (3 if best == 0 else 7)  # integers are never between
