"""How far a fine-tuning is: all that a resumed one needs, and the weights of the best epoch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import keras
import numpy as np

from components.training import budget, checkpoint, scores


@dataclasses.dataclass(frozen=True)
class Epoch:
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


class Reached:
    """The history, the best epoch, and every variable that training changes.

    Attributes:
        weights: variables of the model that training changes.
        history: the finished epochs.
        best_epoch, best_val: of equals the earlier; 0 while there is none.
        best_logits: of val, by the best epoch; float32 [N, C].
        planned: a resumed training does not plan anew.
    """

    def __init__(self, weights: Sequence[keras.Variable], others: Sequence[keras.Variable]) -> None:
        """`others` are what else must be as it was: of the optimizer, and of random layers."""
        self.weights = list(weights)
        self._changing = {f'v{i}': v for i, v in enumerate([*self.weights, *others])}
        self.history: list[Epoch] = []
        self.best_epoch, self.best_val = 0, scores.Scores(-1.0, math.inf, 0)
        self.best_logits = np.empty((0, 0), np.float32)
        self.planned = budget.Plan(0, 0)
        self._best = Snapshot(self.weights)

    def resume(self, state: checkpoint.State | None) -> bool:
        """Takes up a kept state, where there is one that fits; whether there was."""
        if state is None or not set(self._changing) <= set(state.arrays):
            return False
        for name, variable in self._changing.items():
            variable.assign(state.arrays[name])
        self._best.arrays = [state.arrays[f'best{i}'] for i in range(len(self.weights))]
        self.history = [Epoch(**epoch) for epoch in state.meta['history']]
        self.best_epoch = state.meta['best_epoch']
        self.best_val = scores.Scores(**state.meta['best_val'])
        self.best_logits = state.arrays['logits']
        self.planned = budget.Plan(state.meta['epochs'], state.meta['blocks'])
        return True

    def state(self, spent: float) -> checkpoint.State:
        """The inverse of `resume`; `spent` are the seconds that the training took so far."""
        arrays = {name: np.asarray(variable) for name, variable in self._changing.items()}
        arrays |= {f'best{i}': array for i, array in enumerate(self._best.arrays)}
        arrays['logits'] = self.best_logits
        meta = {
            'history': [dataclasses.asdict(epoch) for epoch in self.history],
            'best_epoch': self.best_epoch,
            'best_val': dataclasses.asdict(self.best_val),
            'epochs': self.planned.epochs,
            'blocks': self.planned.blocks,
            'spent': spent,
        }
        return checkpoint.State(arrays, meta)

    def snapshot(self) -> Snapshot:
        """All that training changes, as it is now."""
        return Snapshot(list(self._changing.values()))

    def add(self, epoch: Epoch, val: scores.Scores, logits: np.ndarray) -> None:
        """Notes a finished epoch with its logits of val, and the weights when it is the best."""
        self.history.append(epoch)
        if val.better_than(self.best_val):
            self.best_epoch, self.best_val = epoch.epoch, val
            self.best_logits = logits
            self._best = Snapshot(self.weights)

    def restore_best(self) -> None:
        """Gives the model the weights of its best epoch."""
        self._best.restore()
