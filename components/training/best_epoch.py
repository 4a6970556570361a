"""The epochs of a fine-tuning so far, and the weights of the best one on val.

Together with the other variables that training changes, this is all that a resumed one needs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from thawline.components.training import budget
from thawline.components.training.checkpoint import Checkpoint
from thawline.components.training.model_selection import ValPredictions, choose
from thawline.components.training.record import CalibratedScores, EpochRecord, Scores


class Snapshot:
    """Values of variables, to go back to."""

    def __init__(self, variables: Sequence[keras.Variable]) -> None:
        """Copies the present values."""
        self._variables = list(variables)
        self.arrays = [np.array(variable) for variable in self._variables]

    def restore(self) -> None:
        """Assigns the copied values."""
        for variable, array in zip(self._variables, self.arrays, strict=True):
            variable.assign(array)


class EpochHistory:
    """The history, the best epoch, and every variable that training changes.

    Attributes:
        weights: variables of the model that training changes.
        epochs: the finished ones.
        best_epoch: by `model_selection.choose`, so that chance on few images neither ends a
            training nor picks one of its first epochs. Of equals the earlier; 0 without an epoch.
        best: predictions of that epoch's weights; None while there is none.
        logits: of val after each epoch, float32 [N, C] each.
        plan: a resumed training does not plan anew.
    """

    def __init__(
        self,
        weights: Sequence[keras.Variable],
        others: Sequence[keras.Variable],
        labels: np.ndarray,
    ) -> None:
        """Starts without an epoch.

        Args:
            weights: variables of the model that training changes.
            others: what else it changes: variables of the optimizer and of random layers.
            labels: of val, int [N].
        """
        self.weights = list(weights)
        self._changing = {f'v{i}': v for i, v in enumerate([*self.weights, *others])}
        self._labels = labels
        self.epochs: list[EpochRecord] = []
        self.logits: list[np.ndarray] = []
        self.best_epoch = 0
        self.best: ValPredictions | None = None
        self._best_scores: CalibratedScores | None = None
        self.plan = budget.ThawPlan(0, 0)
        self._best_weights = Snapshot(self.weights)

    def resume(self, saved: Checkpoint | None) -> bool:
        """Restores a checkpoint; False where there is none, or it is of other variables."""
        if saved is None or not set(self._changing) <= set(saved.arrays):
            return False
        for name, variable in self._changing.items():
            variable.assign(saved.arrays[name])
        self._best_weights.arrays = [saved.arrays[f'best{i}'] for i in range(len(self.weights))]
        self.epochs = [EpochRecord(**epoch) for epoch in saved.meta['history']]
        self.best_epoch = saved.meta['best_epoch']
        self.logits = list(saved.arrays['logits'])
        best = self.logits[self.best_epoch - 1]
        self.best = ValPredictions(best, Scores(**saved.meta['best_val']))
        self._best_scores = self.best.calibrated_scores(self._labels)
        self.plan = budget.ThawPlan(
            saved.meta['epochs'], saved.meta['blocks'], last=saved.meta['last']
        )
        return True

    def checkpoint(self, elapsed: float) -> Checkpoint:
        """For `resume`, after at least one epoch; `elapsed`: seconds of the training so far."""
        assert self.best is not None
        arrays = {name: np.asarray(variable) for name, variable in self._changing.items()}
        arrays |= {f'best{i}': array for i, array in enumerate(self._best_weights.arrays)}
        arrays['logits'] = np.stack(self.logits)
        meta = {
            'history': [dataclasses.asdict(epoch) for epoch in self.epochs],
            'best_epoch': self.best_epoch,
            'best_val': dataclasses.asdict(self.best.val),
            'epochs': self.plan.epochs,
            'blocks': self.plan.blocks,
            'last': self.plan.last,
            'elapsed': elapsed,
        }
        return Checkpoint(arrays, meta)

    def snapshot(self) -> Snapshot:
        """Present values of all that training changes."""
        return Snapshot(list(self._changing.values()))

    def add(self, epoch: EpochRecord, predictions: ValPredictions) -> None:
        """Appends a finished epoch with its predictions; keeps its weights if it is the best."""
        self.epochs.append(epoch)
        self.logits.append(predictions.logits)
        candidates = {epoch.epoch: predictions.calibrated_scores(self._labels)}
        if self._best_scores is not None:
            candidates[self.best_epoch] = self._best_scores
        top = max(past.val_accuracy for past in self.epochs)
        if choose(candidates, top) == epoch.epoch:
            self.best_epoch, self.best = epoch.epoch, predictions
            self._best_scores = candidates[epoch.epoch]
            self._best_weights = Snapshot(self.weights)

    def restore_best(self) -> None:
        """Puts the weights of the best epoch into the model."""
        self._best_weights.restore()


def best_by(logits: Sequence[np.ndarray], labels: np.ndarray, patience: int) -> int:
    """The epoch that some val images alone would have kept, from 1 on; see `EpochHistory`.

    Args:
        logits: of these images after each epoch, float32 [N, C].
        labels: of them, int [N].
        patience: epochs without improvement after which they would have stopped the training.
    """
    best, top = 0, 0.0
    scored: dict[int, CalibratedScores] = {}
    for number, each in enumerate(logits, 1):
        if best and number - best > patience:
            break
        scored[number] = ValPredictions.score(each, labels).calibrated_scores(labels)
        top = max(top, scored[number].accuracy)
        rivals = {number: scored[number]} | ({best: scored[best]} if best else {})
        best = choose(rivals, top)
    return best
