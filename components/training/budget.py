"""Fits fine-tuning into the time budget, by the measured time of its steps.

The budget is wall-clock time of the Trainer, from reading its inputs to the exported model. What
fits is estimated from a forward pass before anything is compiled, and then measured on a few steps
of the depth that the estimate allows; a budget makes the plan, and so the model, depend on the
machine and on what else it does.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Callable

import numpy as np

from thawline.components.backbones import classifier as model
from thawline.components.backbones.mirrored_views import view_count
from thawline.components.backbones.params import Views
from thawline.components.shared.settings import seconds_of
from thawline.components.training.record import BudgetRecord

# So many are to fit into the time where the depth is chosen; what is measured then may allow fewer.
MIN_EPOCHS = 2
# Less, at a rate that has no time to fall, is not worth the thaw.
LEAST_EPOCHS = 1
# Between what is measured and what comes: checkpoints, and steps that wait for their images.
_MARGIN = 1.05
# In units of the time to trace a forward pass: the training step with its first call, which the
# runtime optimises, and the export with all its signatures. From EfficientNet-Lite0 at 224 pixels
# (4.1 and 4.0) and MobileNetV2 at 128 (2.4 and 1.8).
_COMPILE = 4.0
_EXPORT = 4.0
# Of an image, in units of its forward pass: EfficientNet-Lite0, policy 'standard', 224 pixels.
_AUGMENT = 0.5
_TIMED_IMAGES = 16


class Deadline:
    """When training must end; never, without a budget.

    Attributes:
        now: the clock, in seconds.
        seconds: the budget; None without one.
    """

    def __init__(self, seconds: float | None, now: Callable[[], float] = time.monotonic) -> None:
        """The clock starts now."""
        self.now = now
        self._began = now()
        self._reserved = 0.0
        self.seconds = seconds

    @classmethod
    def of(cls, budget: str | None) -> Deadline:
        """Of a setting, such as 5m; its clock starts now."""
        return cls(None if budget is None else seconds_of(budget))

    @property
    def elapsed(self) -> float:
        """Seconds since the start, and those of `resume`."""
        return self.now() - self._began

    @property
    def remaining(self) -> float | None:
        """Seconds until what was reserved must begin; None without a budget."""
        return None if self.seconds is None else self.seconds - self.elapsed - self._reserved

    @property
    def is_over(self) -> bool:
        """Whether no time remains."""
        return self.remaining is not None and self.remaining <= 0

    def part(self, share: float) -> Deadline:
        """That of a step which may take this share of what remains; its clock starts now."""
        return Deadline(None if self.remaining is None else share * self.remaining, self.now)

    def resume(self, elapsed: float) -> None:
        """Counts the seconds that an earlier, killed attempt took."""
        self._began -= elapsed

    def record(self) -> BudgetRecord | None:
        """The budget, and what of it was used until now; None without one."""
        return None if self.seconds is None else BudgetRecord(self.seconds, self.elapsed)

    def reserve(self, seconds: float) -> None:
        """Keeps time for what comes after the training."""
        self._reserved = seconds


@dataclasses.dataclass(frozen=True)
class CostEstimate:
    """What fine-tuning costs, from the time of a forward pass alone.

    Backward costs twice as much as forward, through the thawed blocks only: measured on
    EfficientNet-Lite0, a step with 18, 9, 4 and 2 of 18 blocks takes 3.2, 2.1, 1.5 and 1.3 times as
    long as its forward pass, without the augmentation of its images.

    Attributes:
        image_seconds: of a forward pass of one image.
        trace_seconds: to trace it.
        train, val: images.
        blocks: of the base.
        views: over which the model averages its answers, 1 without.
    """

    image_seconds: float
    trace_seconds: float
    train: int
    val: int
    blocks: int
    views: int = 1

    @property
    def compiling(self) -> float:
        """Seconds to compile a training step and to run it for the first time."""
        return _COMPILE * self.trace_seconds

    def epochs(self, count: int, blocks: int) -> float:
        """Seconds of so many epochs, with so many blocks thawed."""
        images = self.train * (1 + _AUGMENT + 2 * blocks / self.blocks) + self.val
        return count * images * self.image_seconds

    def ending(self, blocks: int) -> float:
        """Seconds after the last epoch: interpolated weights, mirrored views, export.

        The part of val that is frozen is computed already, except for mirrored views.
        """
        mirrored = self.views if self.views > 1 else 0
        predictions = (3 * blocks / self.blocks + mirrored) * self.val
        return predictions * self.image_seconds + _EXPORT * self.trace_seconds


def estimate_cost(
    classifier: model.Classifier, train: int, val: int, views: Views, deadline: Deadline
) -> CostEstimate:
    """Times the network on blank images, and reserves the time to export it.

    Args:
        classifier: to be fine-tuned.
        train, val: images.
        views: over which the model will average its answers.
        deadline: of the training.
    """
    images = np.zeros((min(_TIMED_IMAGES, train), *classifier.model.input_shape[1:]), np.uint8)
    moments = [deadline.now()]
    for _ in range(3):
        classifier.predict(images)
        moments.append(deadline.now())
    first, *later = (end - start for start, end in itertools.pairwise(moments))
    seconds = min(later)
    cost = CostEstimate(
        seconds / len(images),
        max(0.0, first - seconds),  # the first call traces
        train,
        val,
        len(classifier.backbone.blocks),
        view_count(views),
    )
    deadline.reserve(cost.ending(0))
    return cost


class TooShort(Exception):
    """The budget leaves no time for fine-tuning.

    Attributes:
        needed: seconds of a budget that is enough, about.
    """

    def __init__(self, needed: float) -> None:
        super().__init__(f'fine-tuning needs a budget of about {needed:.0f} s')
        self.needed = needed


@dataclasses.dataclass(frozen=True)
class ThawPlan:
    """What fits into the time.

    Attributes:
        epochs, blocks: to train, and to thaw.
        epoch_seconds: mean over the epochs, as measured; None without a budget.
        last: share of its steps that the last epoch has, above 0.
    """

    epochs: int
    blocks: int
    epoch_seconds: float | None = None
    last: float = 1.0

    def steps(self, each: int) -> int:
        """Steps in all, of epochs of `each` steps."""
        return (self.epochs - 1) * each + max(1, round(self.last * each))

    def omissions(self, epochs: int, blocks: int) -> tuple[str, ...]:
        """What was asked for and does not fit, for people."""
        omissions = []
        if missing := epochs - (self.epochs - 1 + self.last):
            omissions.append(f'{max(0.1, round(missing, 1)):g} of {epochs} epochs')
        if self.blocks < blocks:
            omissions.append(f'{blocks - self.blocks} of {blocks} thawed blocks')
        return tuple(omissions)


def guess_blocks(
    deadline: Deadline, epochs: int, blocks: int, cost: CostEstimate, pace: float = 1.0
) -> int:
    """The most blocks, at most `blocks`, of which enough epochs fit by the estimate times `pace`.

    Raises:
        TooShort: of one block not even the fewest epochs fit.
    """
    if deadline.remaining is None or deadline.seconds is None:
        return blocks
    reserved = cost.ending(0)

    def needs(depth: int, count: int) -> float:
        seconds = cost.compiling + pace * cost.epochs(count, depth)
        return _MARGIN * seconds + cost.ending(depth) - reserved

    enough = functools.partial(needs, count=min(MIN_EPOCHS, epochs))
    deadline.reserve(reserved)
    fitting = bisect.bisect_right(range(1, blocks + 1), deadline.remaining, key=enough)
    if not fitting and needs(1, LEAST_EPOCHS) > deadline.remaining:
        raise TooShort(deadline.seconds - deadline.remaining + needs(1, LEAST_EPOCHS))
    return max(1, fitting)


def plan(
    deadline: Deadline,
    epochs: int,
    blocks: int,
    cost: CostEstimate,
    steps: int,
    measure: Callable[[int], Callable[[float], float]],
) -> ThawPlan:
    """The deepest thaw of which enough epochs fit, and how many do; the last one may be cut.

    Fewer blocks make each step cheaper, because nothing flows back below them; fewer epochs come
    first, since the depth is what the data set needs and the number of epochs mostly polishes.
    Usually one depth is measured: compiling a step for another costs as much as several steps.

    Args:
        deadline: of the training.
        epochs, blocks: what is asked for.
        cost: of forward passes.
        steps: of an epoch.
        measure: takes a number of thawed blocks, times them, and returns a function from a number
            of epochs, which may be broken, to the seconds that they take in all.

    Raises:
        TooShort: not even the fewest epochs of one block fit.
    """
    pace = 1.0
    while True:
        depth = guess_blocks(deadline, epochs, blocks, cost, pace)
        seconds = measure(depth)
        deadline.reserve(cost.ending(depth))
        remaining = deadline.remaining or 0.0

        def needs(count: int, seconds: Callable[[float], float] = seconds) -> float:
            return _MARGIN * seconds(count / steps)

        fitting = bisect.bisect_right(range(1, epochs * steps + 1), remaining, key=needs)
        if fitting >= LEAST_EPOCHS * steps:
            done = fitting / steps
            last = done % 1 or 1.0
            return ThawPlan(math.ceil(done), depth, seconds(done) / done, last)
        least = needs(LEAST_EPOCHS * steps)
        if depth == 1:
            raise TooShort((deadline.seconds or 0.0) - remaining + least)
        pace = max(pace, seconds(LEAST_EPOCHS) / cost.epochs(LEAST_EPOCHS, depth))
        blocks = depth - 1
