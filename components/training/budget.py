"""Fits fine-tuning into a given time, by what its steps were measured to take."""

from __future__ import annotations

import bisect
import dataclasses
import time
from collections.abc import Callable

# One epoch at a rate that has no time to fall is not worth the thaw.
MIN_EPOCHS = 2


class Deadline:
    """When training is to be over; without a budget, never."""

    def __init__(self, seconds: float | None, now: Callable[[], float] = time.monotonic) -> None:
        """The clock starts now."""
        self._now = now
        self._began = now()
        self.seconds = seconds

    @property
    def spent(self) -> float:
        """Seconds since the start, and those of `resume`."""
        return self._now() - self._began

    @property
    def left(self) -> float | None:
        """Seconds; None without a budget."""
        return None if self.seconds is None else self.seconds - self.spent

    def resume(self, spent: float) -> None:
        """Counts the seconds that an earlier, killed attempt spent."""
        self._began -= spent


@dataclasses.dataclass(frozen=True)
class ThawPlan:
    """What fits.

    Attributes:
        epochs: 0 where even the fewest blocks have no time.
        blocks: how many are thawed.
        epoch_seconds: mean over the epochs of that depth, as measured; None without a budget.
    """

    epochs: int
    blocks: int
    epoch_seconds: float | None = None

    def left_out(self, epochs: int, blocks: int) -> list[str]:
        """What was asked for and has no place, for people."""
        missing = []
        if self.epochs < epochs:
            missing.append(f'{epochs - self.epochs} of {epochs} epochs')
        if self.blocks < blocks:
            missing.append(f'{blocks - self.blocks} of {blocks} thawed blocks')
        return missing


def plan(
    deadline: Deadline,
    epochs: int,
    blocks: int,
    measure: Callable[[int], Callable[[int], float]],
) -> ThawPlan:
    """The deepest thaw of which enough epochs fit, and how many do.

    Fewer blocks make each step cheaper, because nothing flows back below them; fewer epochs come
    first, since the depth is what the data set needs and the number of epochs mostly polishes.

    Args:
        deadline: of the training.
        epochs, blocks: what is asked for.
        measure: times a thaw of so many blocks, which takes its own time, and returns the seconds
            that so many epochs of it take in all, rising with their number.
    """
    if deadline.left is None:
        return ThawPlan(epochs, blocks)
    wanted, depth = min(MIN_EPOCHS, epochs), blocks
    while deadline.left > 0:
        seconds = measure(depth)
        fitting = bisect.bisect_right(range(1, epochs + 1), deadline.left, key=seconds)
        if fitting >= wanted:
            return ThawPlan(fitting, depth, seconds(fitting) / fitting)
        if depth == 1:
            break
        depth = max(1, depth // 2)
    return ThawPlan(0, depth)
