"""How a model turns logits into an answer; travels with the model. Knows nothing of TensorFlow."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import scipy.special

ARGMAX = 0.5


@dataclasses.dataclass(frozen=True)
class Rule:
    """Probabilities are softmax(logits / temperature); the answer follows from them.

    With two classes the positive one is answered where its probability is at least `threshold`. At
    0.5, and with any other number of classes, the most probable class is answered, of equal ones
    the first.

    Attributes:
        temperature: above 0.
        threshold: in [0, 1]; at 0 the positive class is always answered.
        positive: index of the positive class, 0 or 1.
    """

    temperature: float = 1.0
    threshold: float = ARGMAX
    positive: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for values outside of what the attributes allow."""
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f'the temperature must be above 0. Received: {self.temperature}')
        if not 0 <= self.threshold <= 1:
            raise ValueError(f'the threshold must be in [0, 1]. Received: {self.threshold}')
        if self.positive not in (0, 1):
            raise ValueError(f'the positive class must be 0 or 1. Received: {self.positive}')

    @property
    def is_argmax(self) -> bool:
        """Whether the answer is the most probable class."""
        return self.threshold == ARGMAX

    def check(self, classes: int) -> None:
        """Raises ValueError where the threshold has no meaning for this many classes."""
        if not self.is_argmax and classes != 2:
            raise ValueError(
                f'a threshold of {self.threshold:g} needs two classes. Received: {classes}'
            )

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Of each class: float [N, C] -> float64 [N, C]."""
        found: np.ndarray = scipy.special.softmax(
            logits.astype(np.float64) / self.temperature, axis=1
        )
        return found

    def answers(self, logits: np.ndarray) -> np.ndarray:
        """Index of the answered class: float [N, C] -> int64 [N]."""
        return self.chosen(self.probabilities(logits))

    def chosen(self, probabilities: np.ndarray) -> np.ndarray:
        """Index of the answered class of known probabilities: float [N, C] -> int64 [N]."""
        self.check(probabilities.shape[1])
        if self.is_argmax:
            return probabilities.argmax(axis=1)
        positive = probabilities[:, self.positive] >= self.threshold
        return np.where(positive, self.positive, 1 - self.positive)
