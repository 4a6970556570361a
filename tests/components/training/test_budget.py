"""What fits into a given time, by a clock that only the test moves."""

from __future__ import annotations

import time
from collections.abc import Callable

import hypothesis
import hypothesis.strategies as st
import pytest

from tests.components.training import tiny
from thawline.components.training.budget import (
    LEAST_EPOCHS,
    CostEstimate,
    Deadline,
    ThawPlan,
    TooShort,
    estimate_cost,
    guess_blocks,
    plan,
)

BLOCKS, STEPS = 8, 10
# 100 images; an epoch of d of 8 blocks is estimated at 1.5 + d/4 seconds, and 0.2 for val.
COST = CostEstimate(0.01, 0.5, train=100, val=20, blocks=BLOCKS)


class Clock:
    """Stands still but for what is measured on it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Machine:
    """Takes `slowness` times the estimate; to compile, what was estimated. Notes each measure."""

    def __init__(self, clock: Clock, slowness: float, cost: CostEstimate = COST) -> None:
        self._clock, self._slowness, self._cost = clock, slowness, cost
        self.depths: list[int] = []

    def seconds(self, epochs: float, blocks: int) -> float:
        return self._slowness * self._cost.epochs(1, blocks) * epochs

    def measure(self, blocks: int) -> Callable[[float], float]:
        self._clock.seconds += self._cost.compiling
        self.depths.append(blocks)
        return lambda epochs: self.seconds(epochs, blocks)


def planned(seconds: float, epochs: int = 7, slowness: float = 1.0) -> tuple[ThawPlan, list[int]]:
    clock = Clock()
    machine = Machine(clock, slowness)
    planned = plan(Deadline(seconds, clock), epochs, BLOCKS, COST, STEPS, machine.measure)
    return planned, machine.depths


def test_deadline_counts_down() -> None:
    clock = Clock()
    deadline = Deadline(90.0, clock)
    assert (deadline.seconds, deadline.remaining, deadline.is_over) == (90.0, 90.0, False)
    clock.seconds += 100
    assert (deadline.remaining, deadline.is_over) == (-10.0, True)
    assert Deadline.of('2m').seconds == 120.0


def test_seconds_of_a_killed_attempt_count() -> None:
    clock = Clock()
    deadline = Deadline(90.0, clock)
    clock.seconds += 10
    deadline.resume(30.0)
    assert (deadline.elapsed, deadline.remaining) == (40.0, 50.0)
    unlimited = Deadline.of(None)
    unlimited.resume(30.0)
    assert unlimited.elapsed >= 30.0
    assert (unlimited.remaining, unlimited.is_over) == (None, False)


def test_what_comes_after_training_has_its_time() -> None:
    clock = Clock()
    deadline = Deadline(90.0, clock)
    deadline.reserve(20.0)
    clock.seconds += 60
    assert deadline.remaining == 10.0
    clock.seconds += 10
    assert deadline.is_over


def test_real_clock_goes_by_itself() -> None:
    deadline = Deadline(60.0)
    time.sleep(0.01)
    assert deadline.remaining is not None and 0 < deadline.remaining < 60.0


def test_a_forward_pass_is_timed_without_its_trace() -> None:
    ticks = iter([0.0, 5.0, 8.0, 8.5, 9.0, 9.25])  # start, 0; then 3 s, 0.5 s and 0.25 s

    def now() -> float:
        return next(ticks)

    deadline = Deadline(60.0, now)
    cost = estimate_cost(tiny.classifier(), 16, 9, 'flips', deadline)
    assert (cost.train, cost.val, cost.blocks, cost.views) == (16, 9, tiny.BLOCKS, 4)
    assert cost.image_seconds == 0.5 / 16
    assert cost.trace_seconds == 2.5
    assert deadline.remaining == pytest.approx(60.0 - 9.25 - cost.ending(0))
    # Four mirrored views of 9 images, and three interpolations of what is thawed.
    assert cost.ending(0) > 4 * 9 * cost.image_seconds
    assert cost.ending(tiny.BLOCKS) - cost.ending(0) == pytest.approx(27 * cost.image_seconds)


def test_estimate_is_that_of_forward_and_backward() -> None:
    assert COST.epochs(3, BLOCKS) == pytest.approx(3 * (3.5 + 0.2))
    assert COST.epochs(1, 2) == pytest.approx(2 + 0.2)
    assert COST.compiling > 0


def test_without_a_budget_all_blocks_fit() -> None:
    assert guess_blocks(Deadline(None), 7, BLOCKS, COST) == BLOCKS


def test_all_fits_with_one_measurement() -> None:
    assert planned(1000) == (ThawPlan(7, 8, pytest.approx(3.7)), [8])


def test_fewer_epochs_come_before_fewer_blocks() -> None:
    # 2 s to compile, 2 s and 0.6 s at the end; 13.2 s for epochs of 3.7 s, with a margin of 5 %.
    result, depths = planned(17.8)
    assert (result.epochs, result.last, result.blocks, depths) == (4, pytest.approx(0.3), 8, [8])
    assert result.steps(STEPS) == 33


def test_the_deepest_thaw_that_fits_is_measured_first() -> None:
    result, depths = planned(9)  # of 4.9 s, two epochs of 2 blocks (2.2 s each) are the most
    assert (result.steps(STEPS), result.blocks, depths) == (20, 2, [2])
    result, depths = planned(10.2)
    assert (result.blocks, depths) == (4, [4])


def test_a_machine_that_is_slower_than_estimated_thaws_less() -> None:
    result, depths = planned(19, slowness=3)
    assert (result.steps(STEPS), result.blocks, depths) == (12, 8, [8])
    # Where not one epoch fits any more, of fewer blocks.
    result, depths = planned(15, slowness=3)
    assert (result.epochs, depths) == (2, [8, result.blocks]) and result.blocks < 8
    # One that is faster trains more epochs of what it measured.
    result, depths = planned(10.2, slowness=0.5)
    assert (result.steps(STEPS), result.blocks, depths) == (41, 4, [4])


def test_one_epoch_where_two_do_not_fit() -> None:
    result, depths = planned(7)
    assert (result.epochs, result.blocks, depths) == (2, 1, [1])
    assert STEPS <= result.steps(STEPS) < 2 * STEPS


def test_one_epoch_is_enough_where_one_is_asked_for() -> None:
    assert planned(9.5, epochs=1) == (ThawPlan(1, 8, pytest.approx(3.7)), [8])


def test_epochs_that_take_longer_and_longer() -> None:
    """As growing images do: 1, 2, 3, ... seconds."""

    def measure(blocks: int) -> Callable[[float], float]:
        return lambda epochs: epochs * (epochs + 1) / 2

    def epochs(seconds: float) -> ThawPlan:
        deadline = Deadline(seconds + COST.ending(8), Clock())
        return plan(deadline, 9, 8, COST, 1, measure)  # of one step each

    assert epochs(10.001 * 1.05) == ThawPlan(4, 8, 2.5)
    assert epochs(10.0 * 1.04) == ThawPlan(3, 8, 2.0)
    assert epochs(1e3) == ThawPlan(9, 8, 5.0)


def test_too_short_a_budget_says_what_is_needed() -> None:
    """At once, where the estimate says so; the budget that it names is then enough."""
    with pytest.raises(TooShort) as estimated:
        planned(3)
    assert 6 < estimated.value.needed < 7
    assert planned(estimated.value.needed + 0.01)[0].blocks == 1
    with pytest.raises(TooShort) as measured:
        planned(10, slowness=9)
    assert planned(measured.value.needed + 0.01, slowness=9)[0].epochs >= 1
    with pytest.raises(TooShort):
        planned(0.001)


@hypothesis.given(
    st.floats(0.1, 1e3), st.integers(1, 50), st.floats(0.2, 5.0), st.floats(0.01, 2.0)
)
def test_what_is_planned_fits_and_is_worth_it(
    seconds: float, epochs: int, slowness: float, trace: float
) -> None:
    clock = Clock()
    cost = CostEstimate(0.01, trace, train=100, val=20, blocks=BLOCKS)
    machine = Machine(clock, slowness, cost)
    deadline = Deadline(seconds, clock)
    try:
        result = plan(deadline, epochs, BLOCKS, cost, STEPS, machine.measure)
    except TooShort as error:
        # What it says is more than there is.
        assert error.needed > seconds
        return
    assert LEAST_EPOCHS <= result.epochs <= epochs and 0 < result.last <= 1
    assert 1 <= result.blocks <= BLOCKS
    assert machine.depths == sorted(set(machine.depths), reverse=True)
    assert machine.depths[-1] == result.blocks
    assert deadline.remaining is not None
    steps = result.steps(STEPS)
    assert machine.seconds(steps / STEPS, result.blocks) <= deadline.remaining
    if steps < epochs * STEPS:
        # Nor is more than the margin left over, and a step.
        assert 1.06 * machine.seconds((steps + 1) / STEPS, result.blocks) >= deadline.remaining


@pytest.mark.parametrize(
    ('found', 'missing'),
    [
        (ThawPlan(7, 8), ()),
        (ThawPlan(2, 8), ('5 of 7 epochs',)),
        (ThawPlan(7, 2), ('6 of 8 thawed blocks',)),
        (ThawPlan(6, 4), ('1 of 7 epochs', '4 of 8 thawed blocks')),
        (ThawPlan(3, 8, last=0.4), ('4.6 of 7 epochs',)),
        (ThawPlan(7, 8, last=0.99), ('0.1 of 7 epochs',)),
    ],
)
def test_what_is_missing_is_said(found: ThawPlan, missing: tuple[str, ...]) -> None:
    assert found.omissions(epochs=7, blocks=8) == missing
