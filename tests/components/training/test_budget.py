"""What fits into a given time, by a clock that only the test moves."""

from __future__ import annotations

import time
from collections.abc import Callable

import hypothesis
import hypothesis.strategies as st
import pytest

from thawline.components.training.budget import MIN_EPOCHS, Deadline, ThawPlan, plan


class Clock:
    """Stands still but for what is measured on it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Measuring:
    """Epochs take `each` seconds a block; measuring one takes `cost`. Notes what was measured."""

    def __init__(self, clock: Clock, each: float, cost: float = 0.0) -> None:
        self._clock, self._each, self._cost = clock, each, cost
        self.depths: list[int] = []

    def __call__(self, blocks: int) -> Callable[[int], float]:
        self._clock.seconds += self._cost
        self.depths.append(blocks)
        return lambda epochs: epochs * self._each * blocks


def planned(
    seconds: float | None, epochs: int, blocks: int, each: float, cost: float = 0.0
) -> tuple[ThawPlan, list[int]]:
    clock = Clock()
    measuring = Measuring(clock, each, cost)
    return plan(Deadline(seconds, clock), epochs, blocks, measuring), measuring.depths


def test_deadline_counts_down() -> None:
    clock = Clock()
    deadline = Deadline(90.0, clock)
    assert (deadline.seconds, deadline.remaining) == (90.0, 90.0)
    clock.seconds += 100
    assert deadline.remaining == -10.0


def test_seconds_of_a_killed_attempt_count() -> None:
    clock = Clock()
    deadline = Deadline(90.0, clock)
    clock.seconds += 10
    deadline.resume(30.0)
    assert (deadline.elapsed, deadline.remaining) == (40.0, 50.0)
    unlimited = Deadline(None, clock)
    unlimited.resume(30.0)
    assert (unlimited.elapsed, unlimited.remaining) == (30.0, None)


def test_epochs_that_take_longer_and_longer() -> None:
    """As growing images do: 1, 2, 3, ... seconds."""

    def total(epochs: int) -> float:
        return epochs * (epochs + 1) / 2

    clock = Clock()
    assert plan(Deadline(10.0, clock), 9, 3, lambda blocks: total) == ThawPlan(4, 3, 2.5)
    assert plan(Deadline(9.9, clock), 9, 3, lambda blocks: total) == ThawPlan(3, 3, 2.0)
    assert plan(Deadline(1e3, clock), 9, 3, lambda blocks: total) == ThawPlan(9, 3, 5.0)


def test_without_a_budget_there_is_no_deadline_and_nothing_is_measured() -> None:
    assert Deadline(None).remaining is None and Deadline(None).seconds is None
    assert planned(None, 7, 10, 1e9) == (ThawPlan(7, 10), [])


def test_real_clock_goes_by_itself() -> None:
    deadline = Deadline(60.0)
    time.sleep(0.01)
    assert deadline.remaining is not None and 0 < deadline.remaining < 60.0


def test_all_fits() -> None:
    assert planned(1000, 7, 8, each=10) == (ThawPlan(7, 8, 80), [8])


def test_fewer_epochs_come_before_fewer_blocks() -> None:
    assert planned(200, 7, 8, each=10) == (ThawPlan(2, 8, 80), [8])


def test_blocks_are_halved_until_two_epochs_fit() -> None:
    assert planned(45, 7, 8, each=10) == (ThawPlan(2, 2, 20), [8, 4, 2])
    assert planned(45, 7, 7, each=10) == (ThawPlan(4, 1, 10), [7, 3, 1])


def test_one_epoch_is_enough_where_one_is_asked_for() -> None:
    assert planned(85, 1, 8, each=10) == (ThawPlan(1, 8, 80), [8])


def test_measuring_takes_its_own_time() -> None:
    assert planned(200, 7, 8, each=10, cost=39) == (ThawPlan(2, 8, 80), [8])
    assert planned(200, 7, 8, each=10, cost=41) == (ThawPlan(2, 4, 40), [8, 4])


def test_nothing_fits() -> None:
    assert planned(15, 7, 8, each=10) == (ThawPlan(0, 1), [8, 4, 2, 1])
    # The time is over while measuring: what is left is not spent on measuring more.
    assert planned(15, 7, 8, each=10, cost=16) == (ThawPlan(0, 4), [8])


def test_budget_that_is_already_spent_measures_nothing() -> None:
    clock = Clock()
    deadline, measuring = Deadline(5.0, clock), Measuring(clock, 0.001)
    clock.seconds += 5.0
    assert plan(deadline, 7, 8, measuring) == ThawPlan(0, 8)
    assert measuring.depths == []


@hypothesis.given(
    st.floats(0.1, 1e4),
    st.integers(1, 50),
    st.integers(1, 64),
    st.floats(1e-3, 1e3),
    st.floats(0, 100),
)
def test_what_is_planned_fits_and_is_worth_it(
    seconds: float, epochs: int, blocks: int, each: float, cost: float
) -> None:
    result, depths = planned(seconds, epochs, blocks, each, cost)
    assert 1 <= result.blocks <= blocks
    assert depths == sorted(set(depths), reverse=True) and depths[0] == blocks
    if result.epochs:
        assert min(MIN_EPOCHS, epochs) <= result.epochs <= epochs
        assert result.epoch_seconds == pytest.approx(each * result.blocks)
        assert result.epochs * each * result.blocks <= seconds - cost * len(depths) + 1e-6
        assert depths[-1] == result.blocks
    else:
        # Not even the fewest epochs of the least depth would fit, or the time went by.
        left = seconds - cost * len(depths)
        assert left <= 0 or int(left / (each * depths[-1])) < min(MIN_EPOCHS, epochs)


@pytest.mark.parametrize(
    ('found', 'missing'),
    [
        (ThawPlan(7, 8), ()),
        (ThawPlan(2, 8), ('5 of 7 epochs',)),
        (ThawPlan(7, 2), ('6 of 8 thawed blocks',)),
        (ThawPlan(6, 4), ('1 of 7 epochs', '4 of 8 thawed blocks')),
    ],
)
def test_what_is_missing_is_said(found: ThawPlan, missing: tuple[str, ...]) -> None:
    assert found.omissions(epochs=7, blocks=8) == missing
