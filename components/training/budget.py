"""Fits fine-tuning into the time budget, by the measured time of its steps."""

from __future__ import annotations

import bisect
import dataclasses
import time
from collections.abc import Callable

# One epoch at a rate that has no time to fall is not worth the thaw.
MIN_EPOCHS = 2


class Deadline:
    """When training must end; never, without a budget."""

    def __init__(self, seconds: float | None, now: Callable[[], float] = time.monotonic) -> None:
        """The clock starts now."""
        self._now = now
        self._began = now()
        self.seconds = seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the start, and those of `resume`."""
        return self._now() - self._began

    @property
    def remaining(self) -> float | None:
        """Seconds; None without a budget."""
        return None if self.seconds is None else self.seconds - self.elapsed

    def resume(self, elapsed: float) -> None:
        """Counts the seconds that an earlier, killed attempt took."""
        self._began -= elapsed


@dataclasses.dataclass(frozen=True)
class ThawPlan:
    """What fits into the time.

    Attributes:
        epochs: 0 where there is no time even for the fewest blocks.
        blocks: how many are thawed.
        epoch_seconds: mean over the epochs, as measured; None without a budget.
    """

    epochs: int
    blocks: int
    epoch_seconds: float | None = None

    def omissions(self, epochs: int, blocks: int) -> tuple[str, ...]:
        """What was asked for and does not fit, for people."""
        omissions = []
        if self.epochs < epochs:
            omissions.append(f'{epochs - self.epochs} of {epochs} epochs')
        if self.blocks < blocks:
            omissions.append(f'{blocks - self.blocks} of {blocks} thawed blocks')
        return tuple(omissions)


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
        measure: takes a number of thawed blocks, times them, and returns a function from a number
            of epochs to the seconds that they take in all.
    """
    if deadline.remaining is None:
        return ThawPlan(epochs, blocks)
    enough, depth = min(MIN_EPOCHS, epochs), blocks
    while deadline.remaining > 0:
        seconds = measure(depth)
        fitting = bisect.bisect_right(range(1, epochs + 1), deadline.remaining, key=seconds)
        if fitting >= enough:
            return ThawPlan(fitting, depth, seconds(fitting) / fitting)
        if depth == 1:
            break
        depth = max(1, depth // 2)
    return ThawPlan(0, depth)
