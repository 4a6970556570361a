"""Results of rules: what holds, at which bound, and by how much."""

from __future__ import annotations

import pytest

from thawline.components.evaluation.gate import floors, limits, rule_result
from thawline.components.evaluation.gate.counts import Counts, HitCount, SliceCount
from thawline.components.evaluation.gate.params import SliceFloor
from thawline.components.evaluation.gate.record import RuleResult

VAL = HitCount(80, 100)


def counts(classes: dict[str, HitCount], *slices: SliceCount) -> Counts:
    return Counts(VAL, VAL, classes, slices=slices)


@pytest.mark.parametrize(('value', 'holds'), [(7.0, True), (8.0, True), (8.5, False)])
def test_margins_are_positive_where_a_rule_holds(value: float, holds: bool) -> None:
    most = rule_result.at_most('name', 'title', value, 8.0, 'sentence', 'change')
    assert most == RuleResult('name', 'title', holds, value, 8.0, 8.0 - value, 'sentence', 'change')
    least = rule_result.at_least('name', 'title', -value, -8.0, 'sentence', 'change')
    assert (least.holds, least.bound, least.margin) == (holds, -8.0, 8.0 - value)


def test_what_cannot_be_measured_fails_at_its_bound() -> None:
    no_bee = counts({'ant': HitCount(9, 10), 'bee': HitCount(0, 0)})
    results = [
        floors.worst_class_recall(no_bee, 0.7),
        floors.slice_accuracy(no_bee, SliceFloor(column='site', accuracy=0.7), 0, 10),
        limits.calibration_error(no_bee, 0.7),
    ]
    for result in results:
        assert (result.holds, result.value, result.bound, result.margin) == (False, None, 0.7, None)


def test_parts_at_the_floor_are_not_below_it() -> None:
    classes = {'ant': HitCount(80, 100), 'bee': HitCount(95, 100), 'cat': HitCount(70, 100)}
    result = floors.worst_class_recall(counts(classes), 0.8)
    assert result.value == 0.7 and 'below the required value' not in result.sentence
    two = {**classes, 'dog': HitCount(79, 100)}
    assert "2 classes are below the required value: 'cat', 'dog'" in (
        floors.worst_class_recall(counts(two), 0.8).sentence
    )


def test_slices_at_the_least_size_are_judged() -> None:
    slices = [
        SliceCount('site', value, HitCount(hits, n))
        for value, hits, n in (('a', 16, 20), ('b', 14, 20), ('c', 1, 19))
    ]
    floor = SliceFloor(column='site', accuracy=0.8)
    result = floors.slice_accuracy(counts({}, *slices), floor, 0, 20)
    assert (result.value, result.holds) == (0.7, False)
    assert result.sentence.endswith("Not judged, with fewer than 20 images: 'c'.")
    assert 'are below' not in result.sentence and 'based on only' not in result.sentence


ALIKE = ((4, 4, 14), (1, 4, 4), (0, 4, 1), (2, 4, 6))  # 72 of 100 images in groups of four


@pytest.mark.parametrize(
    ('count', 'more', 'queued'),
    [
        (HitCount(72, 100, ALIKE), '167 more val images', 167),
        (HitCount(72, 100), '15 more val images', 15),
        (HitCount(72, 100, unit='group'), '15 more val groups', None),
    ],
)
def test_a_low_class_says_how_many_more_would_show_it(
    count: HitCount, more: str, queued: int | None
) -> None:
    result = floors.worst_class_recall(counts({'ant': count}), 0.8)
    assert f'{more} of' in result.change
    assert result.queue is not None and result.queue.count == queued
