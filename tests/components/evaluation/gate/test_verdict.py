"""The gate's rules on counts: what holds, what fails, and what is said of it."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from thawline.components.evaluation.gate import verdict
from thawline.components.evaluation.gate.counts import (
    ClassChange,
    Counts,
    HitCount,
    PairedCount,
    SliceCount,
)
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.rules import RuleResult, told
from thawline.components.evaluation.gate.verdict import Verdict, judge
from thawline.components.statistics import proportions

CLASSES = {'cat': HitCount(85, 100), 'dog': HitCount(91, 100)}
GOOD = Counts(HitCount(176, 200), HitCount(170, 200), CLASSES)


def gate(**settings: Any) -> Gate:
    return Gate.model_validate({'val_accuracy': 0.8, 'max_drop': 0.02, **settings})


def numbers(**changed: Any) -> Counts:
    return dataclasses.replace(GOOD, **changed)


def rule(found: Verdict, name: str) -> RuleResult:
    (one,) = (one for one in found.rules if one.name == name)
    return one


def failed(found: Verdict) -> list[str]:
    return [one.name for one in found.rules if one.holds is False]


def test_good_model_is_blessed_with_its_numbers() -> None:
    found = judge(GOOD, gate())
    assert found.blessed and not failed(found)
    assert [one.name for one in found.rules] == [
        'val_accuracy', 'paired_test', 'max_drop', 'test_contradiction'
    ]  # fmt: skip
    assert found.headline == (
        'Blessed: the lower bound of val accuracy, 82.7 %, reaches 80.0 % (176 of 200 images '
        'right: 88.0 %, 95 % interval 82.8 to 91.8 %).'
    )
    assert rule(found, 'val_accuracy').change == '5 more mistakes on these images would fail.'
    assert judge(numbers(val=HitCount(172, 200)), gate()).blessed
    assert failed(judge(numbers(val=HitCount(171, 200)), gate())) == ['val_accuracy']


def test_refusal_says_how_many_images_would_decide() -> None:
    found = judge(numbers(val=HitCount(170, 200)), gate())
    assert not found.blessed
    assert found.headline.startswith('Not blessed: the lower bound of val accuracy, 79.3 %, is ')
    one = rule(found, 'val_accuracy')
    assert one.value == proportions.lower_bound(170, 200)
    assert (one.bound, one.margin) == (0.8, one.value - 0.8)
    assert one.change == (
        '172 right instead of 170 would do; at this accuracy about 54 more val images '
        '(254 in all) would do.'
    )


@pytest.mark.parametrize(
    ('val', 'threshold', 'change'),
    [
        (HitCount(150, 200), 0.8, '172 right instead of 150 would do; more images at this accuracy '
                               'would not change it.'),
        (HitCount(10, 10), 0.8, 'Not even all 10 images right would do; at least 17 val images are '
                             'needed.'),
        (HitCount(200, 200), 1.0, 'Not even all 200 images right would do.'),
        (HitCount(0, 9), 0.0, ''),
    ],
)  # fmt: skip
def test_what_would_change_it_at_the_edges(val: HitCount, threshold: float, change: str) -> None:
    found = judge(numbers(val=val, test=HitCount(0, 0)), gate(val_accuracy=threshold))
    assert rule(found, 'val_accuracy').change == change


@hypothesis.given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.floats(0, 1),
    st.sampled_from(['bound', 'point']),
)
def test_hits_that_are_said_to_decide_do(
    case: tuple[int, int], threshold: float, strictness: str
) -> None:
    hits, n = case
    asked = gate(val_accuracy=threshold, strictness=strictness)
    one = rule(judge(numbers(val=HitCount(hits, n)), asked), 'val_accuracy')
    words = one.change.replace(',', '').split()
    if one.holds and words:
        flipped = hits - int(words[0])
    elif not one.holds and words[0].isdigit():
        flipped = int(words[0])
    else:
        return
    other = rule(judge(numbers(val=HitCount(flipped, n)), asked), 'val_accuracy')
    assert other.holds is not one.holds


@hypothesis.given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.floats(0, 1),
)
def test_point_is_the_plain_comparison(case: tuple[int, int], threshold: float) -> None:
    hits, n = case
    asked = gate(val_accuracy=threshold, strictness='point')
    # Both tests of chance would refuse this one.
    found = judge(
        numbers(val=HitCount(hits, n), test=HitCount(0, 500), baseline=PairedCount(9, 9, n)), asked
    )
    assert found.blessed is (hits / n >= threshold)
    assert rule(found, 'test_contradiction').holds is None


def test_point_tells_what_the_tests_of_chance_find() -> None:
    asked = gate(strictness='point', max_drop=None)
    found = judge(numbers(test=HitCount(100, 200), baseline=PairedCount(1, 20, 200)), asked)
    assert found.blessed
    for name in ('paired_test', 'test_contradiction'):
        one = rule(found, name)
        assert one.holds is None and one.value is not None and one.value < 0.05
        assert one.sentence.endswith('It does not decide: strictness is point.')


def test_where_the_approximate_interval_reaches_it_is_said() -> None:
    """One of the counts with which Wilson's interval alone blesses too many."""
    assert proportions.wilson(49, 54).lower >= 0.8
    found = judge(numbers(val=HitCount(49, 54)), gate())
    assert failed(found) == ['val_accuracy']
    assert 'counted exactly, chance is not ruled out' in rule(found, 'val_accuracy').sentence


def test_no_val_image_is_not_blessed() -> None:
    found = judge(Counts(HitCount(0, 0), HitCount(0, 0), {}), gate())
    assert failed(found) == ['val_accuracy']
    assert 'there is no val image' in found.headline


def test_constant_answers_are_told() -> None:
    constant = {'cat': HitCount(180, 180), 'dog': HitCount(0, 20)}
    found = judge(numbers(val=HitCount(180, 200), classes=constant), gate())
    assert "It is right on images of 'cat' alone." in found.headline
    common = {'cat': HitCount(178, 180), 'dog': HitCount(2, 20)}
    found = judge(numbers(val=HitCount(180, 200), classes=common), gate())
    assert "To answer 'cat' always would be right on 90.0 % of them." in found.headline


def test_worst_class_is_held_against_its_measured_recall() -> None:
    asked = gate(worst_class_recall=0.85)
    assert judge(GOOD, asked).blessed
    found = judge(GOOD, gate(worst_class_recall=0.86))
    assert failed(found) == ['worst_class_recall']
    one = rule(found, 'worst_class_recall')
    assert one.value == 0.85 and one.margin == pytest.approx(-0.01)
    assert "recall of 'cat', 85.0 %, is below 86.0 % (85 of 100 images" in one.sentence
    assert one.change == '86 right instead of 85 would do.'


def test_tiny_and_missing_classes() -> None:
    tiny = {'cat': HitCount(4, 5), 'dog': HitCount(90, 100)}
    one = rule(judge(numbers(classes=tiny), gate(worst_class_recall=0.5)), 'worst_class_recall')
    assert one.holds and 'With 5 images this says little.' in one.sentence
    missing = {**CLASSES, 'a': HitCount(0, 0), 'b': HitCount(0, 0)}
    found = judge(numbers(classes=missing), gate(worst_class_recall=0.1))
    assert failed(found) == ['worst_class_recall']
    assert "no val image of 'a', 'b'" in rule(found, 'worst_class_recall').sentence
    assert judge(numbers(classes=missing), gate()).blessed


def test_five_hundred_classes_are_not_all_named() -> None:
    many = {f'class {i}': HitCount(0, 1) for i in range(500)}
    one = rule(judge(numbers(classes=many), gate(worst_class_recall=0.5)), 'worst_class_recall')
    assert "500 classes are below: 'class 0', 'class 1', 'class 2' and 497 more." in one.sentence


SLICES = (
    SliceCount('meta_site', 'A', HitCount(90, 100)),
    SliceCount('meta_site', 'B', HitCount(60, 100)),
    SliceCount('meta_site', 'C', HitCount(0, 3)),
    SliceCount('split', 'B', HitCount(0, 100)),
)


@pytest.mark.parametrize(
    ('floor', 'holds', 'said'),
    [
        ({'value': 'A', 'accuracy': 0.9}, True, "where meta_site is 'A', 90.0 %, reaches 90.0 %"),
        ({'value': 'B', 'accuracy': 0.7}, False, "where meta_site is 'B', 60.0 %, is below 70.0 %"),
        ({'value': 'C', 'accuracy': 0.0}, False, 'it has 3 of the 10 val images'),
        ({'value': 'D', 'accuracy': 0.0}, False, 'it has 0 of the 10 val images'),
        ({'accuracy': 0.7}, False, "where meta_site is 'B', 60.0 %, is below 70.0 %"),
        ({'accuracy': 0.6}, True, "for fewer than 10 images: 'C'"),
        ({'column': 'meta_x', 'accuracy': 0.6}, False, 'the largest slice has 0 of the 10'),
    ],
)
def test_slices_that_must_hold(floor: dict[str, Any], holds: bool, said: str) -> None:
    asked = gate(slices=[{'column': 'meta_site', **floor}])
    found = judge(numbers(slices=SLICES), asked, smallest_slice=10)
    one = rule(found, 'slices.0')
    assert (one.holds, found.blessed) == (holds, holds)
    assert said in one.sentence


def test_thousand_slices_are_one_rule() -> None:
    many = tuple(SliceCount('meta_id', str(i), HitCount(i % 2, 1)) for i in range(1000))
    found = judge(numbers(slices=many), gate(slices=[{'column': 'meta_id', 'accuracy': 0.5}]))
    one = rule(found, 'slices.0')
    assert "500 slices are below: '0', '2', '4' and 497 more" in one.sentence
    assert len(one.sentence) < 300


def test_rules_that_nobody_asked_for() -> None:
    assert [one.name for one in judge(GOOD, Gate()).rules] == [
        'val_accuracy', 'paired_test', 'test_contradiction'
    ]  # fmt: skip


def test_without_a_baseline_nothing_is_compared() -> None:
    for baseline, said in (
        (None, 'There is no earlier blessed model.'),
        (
            ClassChange(('x',), ('y', 'z')),
            "knows other classes (new 'x'; gone 'y', 'z'): comparing",
        ),
    ):
        found = judge(numbers(baseline=baseline), gate())
        assert found.blessed
        for name in ('paired_test', 'max_drop'):
            one = rule(found, name)
            assert one.holds is None and one.value is None
            assert said in one.sentence


def test_worse_than_the_baseline() -> None:
    found = judge(numbers(baseline=PairedCount(3, 14, 200)), gate())
    assert failed(found) == ['paired_test', 'max_drop']
    one = rule(found, 'paired_test')
    assert one.value == proportions.mcnemar(3, 14).worse
    assert 'it alone is right on 3 and the baseline alone on 14' in one.sentence
    assert one.change == 'Of these 17 the baseline alone may be right on 12 at most.'
    assert found.headline.endswith('Also fails: drop against the baseline.')
    assert rule(judge(numbers(baseline=PairedCount(5, 12, 200)), gate()), 'paired_test').holds
    assert failed(judge(numbers(baseline=PairedCount(3, 14, 1000)), gate())) == ['paired_test']
    assert judge(numbers(baseline=PairedCount(14, 3, 200)), gate()).blessed


@pytest.mark.parametrize(('lost', 'holds'), [(0, True), (4, True), (5, False)])
def test_drop_is_the_measured_one(lost: int, holds: bool) -> None:
    found = judge(numbers(baseline=PairedCount(0, lost, 200)), gate(paired_test=None))
    assert found.blessed is holds
    one = rule(found, 'max_drop')
    assert one.value == lost / 200
    moved = f'fell by {lost / 2:.1f} points' if lost else 'is the same'
    assert one.sentence == (
        f'Val accuracy {moved} against the blessed baseline; 2.0 points may be lost.'
    )


def test_test_must_not_contradict_val() -> None:
    found = judge(numbers(test=HitCount(150, 200)), gate())
    assert failed(found) == ['test_contradiction']
    assert 'test accuracy 75.0 % is significantly lower than val accuracy 88.0 %' in found.headline
    one = rule(found, 'test_contradiction')
    needed = int(one.change.split()[0])
    assert judge(numbers(test=HitCount(needed, 200)), gate()).blessed
    assert not judge(numbers(test=HitCount(needed - 1, 200)), gate()).blessed
    assert judge(numbers(test=HitCount(200, 200)), gate()).blessed
    assert judge(numbers(test=HitCount(150, 200)), gate(test_contradiction=None)).blessed
    empty = rule(judge(numbers(test=HitCount(0, 0)), gate()), 'test_contradiction')
    assert empty.holds is None and empty.sentence == 'Test has no image to compare with.'


@pytest.mark.parametrize(
    ('setting', 'measured', 'limit', 'above'),
    [
        ('max_calibration_error', 'calibration_error', 0.05, '5.0001 %, is above 5.0000 %.'),
        ('max_latency_ms', 'latency_ms', 20.0, '20.000001 ms, is above 20.000000 ms.'),
        ('max_size_mb', 'size_mb', 8.0, '8.000001 MB, is above 8.000000 MB.'),
    ],
)
def test_limits(setting: str, measured: str, limit: float, above: str) -> None:
    asked = gate(**{setting: limit})
    over = rule(judge(numbers(**{measured: limit + 1e-6}), asked), setting)
    assert over.sentence.endswith(above)
    for value, holds in ((limit, True), (limit + 1e-6, False), (0.0, True)):
        found = judge(numbers(**{measured: value}), asked)
        assert rule(found, setting).holds is holds and found.blessed is holds
    for unknown in (None, math.nan, math.inf):
        found = judge(numbers(**{measured: unknown}), asked)
        assert failed(found) == [setting]
        assert 'could not be measured' in rule(found, setting).sentence
        assert verdict.from_json(verdict.to_json(found)) == found


def test_probabilities_that_are_no_numbers() -> None:
    found = judge(numbers(not_finite=1), gate())
    assert failed(found) == ['finite_probabilities']
    assert 'For 1 image of val and test' in rule(found, 'finite_probabilities').sentence


def test_verdict_survives_json_and_others_are_refused() -> None:
    hostile = {'<img src=x>"\'': HitCount(1, 90), '\U0001f408 \u202egpj': HitCount(2, 90)}
    found = judge(numbers(classes=hostile), gate(worst_class_recall=0.5))
    text = verdict.to_json(found)
    assert json.loads(text)['format'] == verdict.FORMAT
    assert verdict.from_json(text) == found
    # A name that turns the direction of writing must not turn the sentence around it.
    assert '\u202e' not in rule(found, 'worst_class_recall').sentence
    for other in ('[]', '{"format": 2}', 'x'):
        with pytest.raises(ValueError):
            verdict.from_json(other)


@hypothesis.given(st.floats(0, 1), st.floats(0, 1))
def test_numbers_that_differ_look_different(value: float, bound: float) -> None:
    first, second = told(value, bound)
    assert (first == second) is (value == bound)


def test_decimals_are_added_until_two_shares_can_be_told_apart() -> None:
    assert told(0.874, 0.8) == ('87.4 %', '80.0 %')
    assert told(0.79996, 0.8) == ('79.996 %', '80.000 %')
    assert told(0.8, 0.8) == ('80.0 %', '80.0 %')
