"""What some val images alone would have chosen, and so how the others were answered without them.

The whole of val chooses what is kept. An image is judged by what the rest of val would have kept:
the strength of the probe, the epoch, the weights between both. Two choices stay those of the whole
of val, because a training depends on them: the strength of the head that fine-tuning starts from,
and the augmentation. Weights between the frozen base and another epoch than the one that was kept
are not tried.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from thawline.components.training import best_epoch, model_selection, probe
from thawline.components.training.model_selection import ValPredictions


@dataclasses.dataclass(frozen=True)
class ValChoices:
    """Logits of val by all weights that could have been kept, float32 [N, C] each.

    Attributes:
        path: of the probe, by strength: float32 [S, N, C].
        epochs: after each epoch of fine-tuning; none without.
        best_epoch: the one that was kept, from 1 on.
        patience: of the training.
        between: share -> of weights between the frozen base and the best epoch.
        averaged: of what was kept, over mirrored views; None where there are none.
    """

    path: np.ndarray
    epochs: tuple[np.ndarray, ...] = ()
    best_epoch: int = 0
    patience: int = 0
    between: Mapping[float, np.ndarray] = dataclasses.field(default_factory=dict)
    averaged: np.ndarray | None = None

    def by(self, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Logits of all images by the weights that `rows` would have kept: float32 [N, C].

        Args:
            rows: of the images that choose.
            labels: of all images, int [N] in [0, C).
        """
        name, logits = self._choose(rows, labels)
        if self.averaged is not None and name == self._choose(np.arange(len(labels)), labels)[0]:
            return self.averaged
        return logits

    def _choose(
        self, rows: np.ndarray, labels: np.ndarray
    ) -> tuple[tuple[int, int, float], np.ndarray]:
        """Strength, epoch and share of fine-tuned weights, with the logits of these weights."""
        own = labels[rows]
        strength = probe.choose_strength(self.path[:, rows], own)
        if not self.epochs:
            return (strength, 0, 0.0), self.path[strength]
        epoch = best_epoch.best_by([each[rows] for each in self.epochs], own, self.patience)
        logits = {0.0: self.path[strength], 1.0: self.epochs[epoch - 1]}
        if epoch == self.best_epoch:
            logits |= self.between
        scored = {
            share: ValPredictions.score(each[rows], own).calibrated_scores(own)
            for share, each in sorted(logits.items())
        }
        share = model_selection.choose(scored)
        return (strength, epoch, share), logits[share]
