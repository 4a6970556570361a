"""How far a fine-tuning is: all that a resumed one needs, and the weights of the best epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from thawline.components.training import budget, checkpoint, scores
from thawline.components.training.model_selection import CalibratedScores, ValPredictions, choose


@dataclasses.dataclass(frozen=True)
class EpochRecord:
    """What one epoch reached.

    `train_accuracy` is measured while training, on augmented images, against the heaviest class of
    each target; `blocks` is how many were thawed; `rate` the peak of the learning rate in it;
    `side` that of its images, in pixels.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    blocks: int
    rate: float
    seconds: float
    side: int


class Snapshot:
    """Values of variables, to go back to."""

    def __init__(self, variables: Sequence[keras.Variable]) -> None:
        """Copies the values of now."""
        self._variables = list(variables)
        self.arrays = [np.array(variable) for variable in self._variables]

    def restore(self) -> None:
        """Gives the variables the copied values."""
        for variable, array in zip(self._variables, self.arrays, strict=True):
            variable.assign(array)


class EpochHistory:
    """The history, the best epoch, and every variable that training changes.

    Attributes:
        weights: variables of the model that training changes.
        history: the finished epochs.
        best_epoch: by `choice.choose`, so that chance on few images neither ends a training nor
            picks one of its first epochs; of equals the earlier; 0 while there is none.
        best: what the weights of that epoch make of val; None while there is none.
        planned: a resumed training does not plan anew.
    """

    def __init__(
        self,
        weights: Sequence[keras.Variable],
        others: Sequence[keras.Variable],
        labels: np.ndarray,
    ) -> None:
        """`others` are what else must be as it was: of the optimizer, and of random layers.

        `labels` are those of val, int [N].
        """
        self.weights = list(weights)
        self._changing = {f'v{i}': v for i, v in enumerate([*self.weights, *others])}
        self._labels = labels
        self.history: list[EpochRecord] = []
        self.best_epoch = 0
        self.best: ValPredictions | None = None
        self._judged: CalibratedScores | None = None
        self.planned = budget.ThawPlan(0, 0)
        self._best_weights = Snapshot(self.weights)

    def resume(self, state: checkpoint.Checkpoint | None) -> bool:
        """Takes up a kept state, where there is one that fits; whether there was."""
        if state is None or not set(self._changing) <= set(state.arrays):
            return False
        for name, variable in self._changing.items():
            variable.assign(state.arrays[name])
        self._best_weights.arrays = [state.arrays[f'best{i}'] for i in range(len(self.weights))]
        self.history = [EpochRecord(**epoch) for epoch in state.meta['history']]
        self.best_epoch = state.meta['best_epoch']
        self.best = ValPredictions(state.arrays['logits'], scores.Scores(**state.meta['best_val']))
        self._judged = self.best.judged(self._labels)
        self.planned = budget.ThawPlan(state.meta['epochs'], state.meta['blocks'])
        return True

    def state(self, spent: float) -> checkpoint.Checkpoint:
        """The inverse of `resume`; `spent`: seconds of the training so far. There is an epoch."""
        assert self.best is not None
        arrays = {name: np.asarray(variable) for name, variable in self._changing.items()}
        arrays |= {f'best{i}': array for i, array in enumerate(self._best_weights.arrays)}
        arrays['logits'] = self.best.logits
        meta = {
            'history': [dataclasses.asdict(epoch) for epoch in self.history],
            'best_epoch': self.best_epoch,
            'best_val': dataclasses.asdict(self.best.val),
            'epochs': self.planned.epochs,
            'blocks': self.planned.blocks,
            'spent': spent,
        }
        return checkpoint.Checkpoint(arrays, meta)

    def snapshot(self) -> Snapshot:
        """All that training changes, as it is now."""
        return Snapshot(list(self._changing.values()))

    def add(self, epoch: EpochRecord, seen: ValPredictions) -> None:
        """Notes a finished epoch and what it makes of val, and the weights when it is the best."""
        self.history.append(epoch)
        candidates = {epoch.epoch: seen.judged(self._labels)}
        if self._judged is not None:
            candidates[self.best_epoch] = self._judged
        top = max(past.val_accuracy for past in self.history)
        if choose(candidates, top) == epoch.epoch:
            self.best_epoch, self.best = epoch.epoch, seen
            self._judged = candidates[epoch.epoch]
            self._best_weights = Snapshot(self.weights)

    def restore_best(self) -> None:
        """Gives the model the weights of its best epoch."""
        self._best_weights.restore()
