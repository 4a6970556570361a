"""The gate's rules on counts: what holds, what fails, and the numbers that are named."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
import re
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
import scipy.stats

from thawline.components.evaluation.gate import repeated_looks
from thawline.components.evaluation.gate.class_change import ClassChange
from thawline.components.evaluation.gate.counts import (
    ChangedFiles,
    Counts,
    HitCount,
    NoRecord,
    PairedCount,
    SliceCount,
)
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.record import LabelQueue, RuleResult, Verdict
from thawline.components.evaluation.gate.verdict import judge
from thawline.components.shared import percentages
from thawline.components.shared.errors import DataError
from thawline.components.statistics import clustered_bound, paired, proportions

CLASSES = {'cat': HitCount(85, 100), 'dog': HitCount(91, 100)}
GOOD = Counts(HitCount(176, 200), HitCount(170, 200), CLASSES)
HITS_OF_N = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def gate(**settings: Any) -> Gate:
    return Gate.model_validate({'val_accuracy': 0.8, 'max_drop': 0.02, **settings})


def counts(**changed: Any) -> Counts:
    return dataclasses.replace(GOOD, **changed)


def rule(decision: Verdict, name: str) -> RuleResult:
    (result,) = (result for result in decision.rules if result.name == name)
    return result


def failed(decision: Verdict) -> list[str]:
    return [result.name for result in decision.rules if result.holds is False]


def integers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r'\d+', text.replace(',', ''))]


def test_good_model_is_blessed_with_its_numbers() -> None:
    decision = judge(GOOD, gate())
    assert decision.blessed and not failed(decision)
    assert [result.name for result in decision.rules] == [
        'val_accuracy', 'class_floor', 'paired_test', 'max_drop', 'test_contradiction'
    ]  # fmt: skip
    for part in ('82.7 %', '80.0 %', '176 of 200 images', '88.0 %', '82.8 to 91.8 %'):
        assert part in decision.headline
    assert integers(rule(decision, 'val_accuracy').change) == [5]
    assert judge(counts(val=HitCount(172, 200)), gate()).blessed
    assert failed(judge(counts(val=HitCount(171, 200)), gate())) == ['val_accuracy']


def test_refusal_says_how_many_images_would_decide() -> None:
    decision = judge(counts(val=HitCount(170, 200)), gate())
    assert not decision.blessed and '79.3 %' in decision.headline
    result = rule(decision, 'val_accuracy')
    assert result.value == proportions.lower_bound(170, 200)
    assert (result.bound, result.margin) == (0.8, result.value - 0.8)
    assert integers(result.change) == [172, 170, 54, 254]


@pytest.mark.parametrize(
    ('val', 'threshold', 'numbers'),
    [
        (HitCount(150, 200), 0.8, [172, 150]),
        (HitCount(10, 10), 0.8, [10, 10, 17]),
        (HitCount(200, 200), 1.0, [200, 200]),
        (HitCount(0, 9), 0.0, []),
    ],
)
def test_what_would_change_it_at_the_edges(
    val: HitCount, threshold: float, numbers: list[int]
) -> None:
    decision = judge(counts(val=val, test=HitCount(0, 0)), gate(val_accuracy=threshold))
    assert integers(rule(decision, 'val_accuracy').change) == numbers


@hypothesis.given(HITS_OF_N, st.floats(0, 1), st.sampled_from(['bound', 'point']))
def test_hits_that_are_said_to_decide_do(
    case: tuple[int, int], threshold: float, strictness: str
) -> None:
    hits, n = case
    settings = gate(val_accuracy=threshold, strictness=strictness)
    result = rule(judge(counts(val=HitCount(hits, n)), settings), 'val_accuracy')
    if not result.change or result.change.startswith('Not even'):
        return
    decisive = integers(result.change)[0]
    if result.holds:
        decisive = hits - decisive
    other = rule(judge(counts(val=HitCount(decisive, n)), settings), 'val_accuracy')
    assert other.holds is not result.holds


@hypothesis.given(HITS_OF_N, st.floats(0, 1))
def test_point_is_the_plain_comparison(case: tuple[int, int], threshold: float) -> None:
    hits, n = case
    settings = gate(val_accuracy=threshold, strictness='point')
    # Both significance tests would refuse this one.
    worse = PairedCount(0, 9, 500)
    decision = judge(
        counts(val=HitCount(hits, n), test=HitCount(0, 500), baseline=worse),
        settings.model_copy(update={'max_drop': None}),
    )
    assert decision.blessed is (hits / n >= threshold)
    assert rule(decision, 'test_contradiction').holds is None


def test_point_shows_significance_tests_that_decide_nothing() -> None:
    settings = gate(strictness='point', max_drop=None)
    decision = judge(counts(test=HitCount(100, 200), baseline=PairedCount(1, 20, 200)), settings)
    assert decision.blessed
    for name in ('paired_test', 'test_contradiction'):
        result = rule(decision, name)
        assert result.holds is None and result.value is not None and result.value < 0.05
        assert 'strictness: point' in result.sentence and not result.change
    worse, lower = decision.cautions
    assert worse == rule(decision, 'paired_test').sentence.partition(' This does')[0]
    assert lower.startswith(rule(decision, 'test_contradiction').sentence.partition(' This d')[0])


def test_where_the_approximate_interval_reaches_it_is_said() -> None:
    """One of the counts with which Wilson's interval alone blesses too many."""
    assert proportions.wilson(49, 54).lower >= 0.8
    decision = judge(counts(val=HitCount(49, 54)), gate())
    assert failed(decision) == ['val_accuracy']
    assert 'approximate' in rule(decision, 'val_accuracy').sentence
    for hits in (48, 50):
        other = judge(counts(val=HitCount(hits, 54)), gate())
        assert 'approximate' not in rule(other, 'val_accuracy').sentence


def test_no_val_image_is_not_blessed() -> None:
    decision = judge(Counts(HitCount(0, 0), HitCount(0, 0), {}), gate())
    assert failed(decision) == ['val_accuracy']
    assert rule(decision, 'val_accuracy').value is None


def test_constant_answers_are_remarked_on() -> None:
    constant = {'cat': HitCount(180, 180), 'dog': HitCount(0, 20)}
    settings = gate(class_floor=None)
    decision = judge(counts(val=HitCount(180, 200), classes=constant), settings)
    assert "'cat'" in decision.headline
    common = {'cat': HitCount(178, 180), 'dog': HitCount(2, 20)}
    decision = judge(counts(val=HitCount(180, 200), classes=common), settings)
    assert "'cat'" in decision.headline and '90.0 %' in decision.headline.partition("'cat'")[2]


def test_a_class_that_is_never_recognised_is_refused_or_said_to_be_too_small() -> None:
    def judged(hits: int, n: int, **settings: Any) -> Verdict:
        classes = {'cat': HitCount(180, 180), 'dog': HitCount(hits, n)}
        both = {split: HitCount(190, 200) for split in ('val', 'test')}
        return judge(counts(**both, classes=classes), gate(**settings))

    # 0.5 ** 7 is the first below 0.025 / 2.
    for n, refused in ((2, False), (6, False), (7, True), (20, True)):
        decision = judged(0, n)
        assert decision.blessed is not refused
        assert failed(decision) == (['class_floor'] if refused else [])
        assert len(decision.cautions) == (0 if refused else 1)
        if not refused:
            assert f"'dog' ({n})" in decision.cautions[0] and '7' in decision.cautions[0]
    assert "'dog'" in judged(0, 7).headline
    assert judged(5, 20).blessed and failed(judged(4, 20)) == ['class_floor']
    assert judged(4, 20).rules[1].value == proportions.upper_bound(4, 20, 0.025 / 2)
    # The floor is no stricter than the threshold, and decides nothing where tests do not.
    assert judged(4, 20, val_accuracy=0.3, max_drop=None).blessed
    assert judged(0, 20, strictness='point').blessed
    assert judged(0, 20, class_floor=None).blessed


def test_where_no_class_can_be_judged_nothing_is_decided() -> None:
    few = {name: HitCount(0, 3) for name in ('cat', 'dog', 'owl')}
    result = rule(judge(counts(classes=few), gate()), 'class_floor')
    assert result.holds is None and result.value is None
    assert all(f"'{name}' (3)" in result.caution for name in few)


def test_classes_at_the_floor_are_refused_in_at_most_a_fortieth() -> None:
    """Exactly, by the binomial distribution of each class's hits."""
    for classes, n in ((2, 10), (2, 40), (10, 20), (100, 15)):
        alpha = 0.025 / classes
        passes = [proportions.upper_bound(hits, n, alpha) >= 0.5 for hits in range(n + 1)]
        chances = scipy.stats.binom.pmf(range(n + 1), n, 0.5)
        assert 1 - float((chances * passes).sum()) ** classes <= 0.025


def test_worst_class_is_held_against_its_measured_recall() -> None:
    assert judge(GOOD, gate(worst_class_recall=0.85)).blessed
    decision = judge(GOOD, gate(worst_class_recall=0.86))
    assert failed(decision) == ['worst_class_recall']
    result = rule(decision, 'worst_class_recall')
    assert result.value == 0.85 and result.margin == pytest.approx(-0.01)
    for part in ("'cat'", '85.0 %', '86.0 %', '85 of 100 images'):
        assert part in result.sentence
    assert integers(result.change)[:2] == [86, 85]
    assert "more val images of 'cat'" in result.change
    more = integers(result.change)[2]
    assert result.queue == LabelQueue('unlabelled', more)
    # The upper bound at this recall: above the floor for a few images less, below it with so many.
    shares = [1 - proportions.lower_bounds(0.15 * n, n) for n in (100 + more - 1, 100 + more)]
    assert shares[0] >= 0.86 > shares[1]


def test_tiny_and_missing_classes() -> None:
    tiny = {'cat': HitCount(4, 5), 'dog': HitCount(90, 100)}
    result = rule(judge(counts(classes=tiny), gate(worst_class_recall=0.5)), 'worst_class_recall')
    assert result.holds and 'only 5 images' in result.sentence
    missing = {**CLASSES, 'a': HitCount(0, 0), 'b': HitCount(0, 0)}
    decision = judge(counts(classes=missing), gate(worst_class_recall=0.1))
    assert failed(decision) == ['worst_class_recall']
    assert "'a', 'b'" in rule(decision, 'worst_class_recall').sentence
    assert judge(counts(classes=missing), gate()).blessed


def test_five_hundred_classes_are_not_all_named() -> None:
    many = {f'class {i}': HitCount(0, 1) for i in range(500)}
    result = rule(judge(counts(classes=many), gate(worst_class_recall=0.5)), 'worst_class_recall')
    assert '500 classes' in result.sentence
    assert "'class 0', 'class 1', 'class 2' and 497 more" in result.sentence


SLICES = (
    SliceCount('meta_site', 'A', HitCount(90, 100)),
    SliceCount('meta_site', 'B', HitCount(60, 100)),
    SliceCount('meta_site', 'C', HitCount(0, 3)),
    SliceCount('split', 'B', HitCount(0, 100)),
)


@pytest.mark.parametrize(
    ('floor', 'holds', 'value', 'parts'),
    [
        ({'value': 'A', 'accuracy': 0.9}, True, 0.9, ["meta_site is 'A'", '90.0 %']),
        ({'value': 'B', 'accuracy': 0.7}, False, 0.6, ["meta_site is 'B'", '60.0 %', '70.0 %']),
        ({'value': 'C', 'accuracy': 0.0}, False, None, ["'C'", ' 3 val images', '10']),
        ({'value': 'D', 'accuracy': 0.0}, False, None, ["'D'", ' 0 val images', '10']),
        ({'accuracy': 0.7}, False, 0.6, ["meta_site is 'B'", '60.0 %', '70.0 %']),
        ({'accuracy': 0.6}, True, 0.6, ["fewer than 10 images: 'C'"]),
        ({'column': 'meta_x', 'accuracy': 0.6}, False, None, ['meta_x', ' 0 val images', '10']),
    ],
)
def test_slices_that_must_hold(
    floor: dict[str, Any], holds: bool, value: float | None, parts: list[str]
) -> None:
    settings = gate(slices=[{'column': 'meta_site', **floor}])
    decision = judge(counts(slices=SLICES), settings, smallest_slice=10)
    result = rule(decision, 'slices.0')
    assert (result.holds, decision.blessed, result.value) == (holds, holds, value)
    assert all(part in result.sentence for part in parts)


def test_thousand_slices_are_one_rule() -> None:
    many = tuple(SliceCount('meta_id', str(i), HitCount(i % 2, 1)) for i in range(1000))
    decision = judge(counts(slices=many), gate(slices=[{'column': 'meta_id', 'accuracy': 0.5}]))
    result = rule(decision, 'slices.0')
    assert '500 slices' in result.sentence and "'0', '2', '4' and 497 more" in result.sentence
    assert len(result.sentence) < 300


def test_rules_that_nobody_asked_for() -> None:
    assert [result.name for result in judge(GOOD, Gate()).rules] == [
        'val_accuracy', 'class_floor', 'paired_test', 'test_contradiction'
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('baseline', 'parts'),
    [
        (None, []),
        (NoRecord(), ['no record', 'starts anew']),
        (ChangedFiles('changed: a.pb'), ['changed: a.pb', 'starts anew']),
        (PairedCount(0, 7, 7), ['7 images', '20', 'starts anew']),
        (PairedCount(0, 1, 1), ['1 image that', '20', 'starts anew']),
        (PairedCount(0, 0, 0), ['no images', '20', 'starts anew']),
        (
            PairedCount(0, 0, 9, ClassChange(('x',), ('y', 'z'))),
            ['9 images of the shared classes', "added 'x'", "removed 'y', 'z'"],
        ),
    ],
)
def test_without_a_baseline_or_unseen_images_nothing_is_compared(
    baseline: PairedCount | NoRecord | ChangedFiles | None, parts: list[str]
) -> None:
    decision = judge(counts(baseline=baseline), gate())
    assert decision.blessed
    for name in ('paired_test', 'max_drop'):
        result = rule(decision, name)
        assert result.holds is None and result.value is None
        assert all(part in result.sentence for part in parts)
    # A first model has nothing to be worse than.
    assert decision.cautions == ([] if baseline is None else [result.sentence])
    assert (decision.paired is None) is not isinstance(baseline, PairedCount)
    if decision.paired is not None:
        assert decision.paired.outcome == 'too few to judge'


@pytest.mark.parametrize('settings', [gate(), gate(paired_test=None)])
def test_what_puts_the_baseline_at_a_disadvantage_is_a_caution(settings: Gate) -> None:
    decision = judge(counts(baseline=PairedCount(9, 8, 200, caution='other depth')), settings)
    assert decision.blessed and decision.cautions == ['other depth']


def test_shared_classes_are_compared() -> None:
    change = ClassChange(('x',), ('y', 'z'))
    decision = judge(counts(baseline=PairedCount(3, 14, 200, change)), gate())
    assert failed(decision) == ['paired_test', 'max_drop']
    for name in ('paired_test', 'max_drop'):
        assert 'of the shared classes' in rule(decision, name).sentence
    sentence = rule(decision, 'paired_test').sentence
    assert "added 'x'; removed 'y', 'z'" in sentence and 'is wrong' in sentence


def test_without_a_model_in_production_it_is_said() -> None:
    decision = judge(counts(), gate(baseline='production'))
    assert decision.blessed
    (caution,) = decision.cautions
    assert caution == rule(decision, 'paired_test').sentence
    assert 'no model in production' in caution
    compared = judge(counts(baseline=PairedCount(3, 14, 200)), gate(baseline='production'))
    assert 'worse than the model in production' in rule(compared, 'paired_test').sentence
    few = judge(counts(baseline=PairedCount(0, 0, 3)), gate(baseline='production'))
    assert 'starts anew' not in rule(few, 'paired_test').sentence


def test_without_test_images_what_was_held_out_is_compared() -> None:
    for pairs, judged in ((PairedCount(0, 0, 0), False), (PairedCount(1, 2, 200), True)):
        decision = judge(counts(test=HitCount(0, 0), baseline=pairs), gate())
        assert decision.blessed
        for name in ('paired_test', 'max_drop'):
            assert (rule(decision, name).holds is not None) is judged
    worse = judge(counts(test=HitCount(0, 0), baseline=PairedCount(0, 30, 200)), gate())
    assert rule(worse, 'paired_test').holds is False


@pytest.mark.parametrize(('n', 'holds'), [(19, None), (20, False)])
def test_six_losses_are_found_on_the_fewest_pairs(n: int, holds: bool | None) -> None:
    assert judge(counts(baseline=PairedCount(0, 5, n)), gate(max_drop=None)).blessed
    decision = judge(counts(baseline=PairedCount(0, 6, n)), gate())
    for name in ('paired_test', 'max_drop'):
        assert rule(decision, name).holds is holds
    assert decision.blessed is (holds is None)


def test_worse_than_the_baseline() -> None:
    decision = judge(counts(baseline=PairedCount(3, 14, 200)), gate())
    assert failed(decision) == ['paired_test', 'max_drop']
    result = rule(decision, 'paired_test')
    assert result.value == paired.mcnemar(3, 14)
    assert decision.paired == paired.compare(3, 14, 200)
    assert integers(result.sentence.partition(').')[2]) == [200, 3, 14]
    assert integers(result.change)[:2] == [12, 17]
    # What one more would be, by the test itself.
    assert paired.mcnemar(4, 13) < 0.05 < paired.mcnemar(5, 12)
    assert 'may be chance' in result.change and '2.5 %' in result.change
    assert 'seed' in result.change
    assert 'drop against the baseline' in decision.headline
    assert rule(judge(counts(baseline=PairedCount(5, 12, 200)), gate()), 'paired_test').holds
    assert failed(judge(counts(baseline=PairedCount(3, 14, 1000)), gate())) == ['paired_test']
    better = judge(counts(baseline=PairedCount(14, 3, 200)), gate())
    assert better.blessed and better.paired is not None and better.paired.outcome == 'better'
    assert rule(better, 'paired_test').margin is None

    same = judge(counts(baseline=PairedCount(5, 5, 200)), gate()).paired
    assert same is not None and same.outcome == 'no difference shown: may be chance'


def test_a_significant_loss_is_a_caution_where_it_does_not_refuse() -> None:
    for settings in (gate(paired_test=None, max_drop=None), gate(strictness='point', max_drop=0.9)):
        decision = judge(counts(baseline=PairedCount(3, 14, 200)), settings)
        assert decision.blessed and decision.paired == paired.compare(3, 14, 200)
        (caution,) = decision.cautions
        assert caution in rule(decision, 'paired_test').sentence
        assert 'worse than the latest blessed model' in caution
        assert not judge(counts(baseline=PairedCount(5, 12, 200)), settings).cautions


@pytest.mark.parametrize(('lost', 'holds'), [(0, True), (4, True), (5, False)])
def test_drop_is_the_measured_one(lost: int, holds: bool) -> None:
    decision = judge(counts(baseline=PairedCount(0, lost, 200)), gate(paired_test=None))
    assert decision.blessed is holds
    result = rule(decision, 'max_drop')
    assert result.value == lost / 200
    assert (f'{lost / 2:.1f} points' in result.sentence) is (lost > 0)


def test_a_contradiction_is_a_caution_that_says_what_to_do() -> None:
    decision = judge(counts(test=HitCount(150, 200)), gate())
    result = rule(decision, 'test_contradiction')
    assert decision.blessed and result.holds is None and not result.change and not result.queue
    assert 'gate.test_contradiction: caution' in result.sentence
    (caution,) = decision.cautions
    for part in ('75.0 %', '88.0 %', 'p < 0.001', '5.0 %', 'Add val and test images', 'seed'):
        assert part in caution
    assert not judge(counts(test=HitCount(165, 200)), gate()).cautions


def test_test_must_not_contradict_val_where_that_is_set() -> None:
    refuse = gate(test_contradiction='refuse')
    decision = judge(counts(test=HitCount(150, 200)), refuse)
    assert rule(decision, 'test_contradiction').queue == LabelQueue('unlabelled')
    assert failed(decision) == ['test_contradiction']
    assert '75.0 %' in decision.headline and '88.0 %' in decision.headline
    change = rule(decision, 'test_contradiction').change
    for part in ('may be chance', '5.0 %', 'Add val and test images', 'seed'):
        assert part in change
    needed = integers(change)[0]
    assert judge(counts(test=HitCount(needed, 200)), refuse).blessed
    assert not judge(counts(test=HitCount(needed - 1, 200)), refuse).blessed
    assert judge(counts(test=HitCount(200, 200)), refuse).blessed
    assert judge(counts(test=HitCount(150, 200)), gate(test_contradiction=None)).blessed
    empty = rule(judge(counts(test=HitCount(0, 0)), gate()), 'test_contradiction')
    assert empty.holds is None and empty.value is None and 'test' in empty.sentence


@pytest.mark.parametrize(
    ('setting', 'measured', 'limit', 'numbers'),
    [
        ('max_calibration_error', 'calibration_error', 0.05, ['5.0001 %', '5.0000 %']),
        ('max_latency_ms', 'latency_ms', 20.0, ['20.000001 ms', '20.000000 ms']),
        ('max_size_mb', 'size_mb', 8.0, ['8.000001 MB', '8.000000 MB']),
    ],
)
def test_limits(setting: str, measured: str, limit: float, numbers: list[str]) -> None:
    settings = gate(**{setting: limit})
    over = rule(judge(counts(**{measured: limit + 1e-6}), settings), setting)
    assert all(number in over.sentence for number in numbers)
    for value, holds in ((limit, True), (limit + 1e-6, False), (0.0, True)):
        decision = judge(counts(**{measured: value}), settings)
        assert rule(decision, setting).holds is holds and decision.blessed is holds
    for unknown in (None, math.nan, math.inf):
        decision = judge(counts(**{measured: unknown}), settings)
        assert failed(decision) == [setting]
        assert rule(decision, setting).value is None
        for one in decision.rules:  # JSON has no other numbers
            assert all(math.isfinite(n or 0.0) for n in (one.value, one.bound, one.margin))


def test_probabilities_that_are_no_numbers() -> None:
    decision = judge(counts(not_finite=1), gate())
    assert failed(decision) == ['finite_probabilities']
    assert '1 image of val and test' in rule(decision, 'finite_probabilities').sentence


def test_verdict_survives_json_and_others_are_refused(tmp_path: pathlib.Path) -> None:
    hostile = {'<img src=x>"\'': HitCount(1, 90), '\U0001f408 \u202egpj': HitCount(2, 90)}
    worse = PairedCount(3, 14, 200)
    decision = judge(counts(classes=hostile, baseline=worse), gate(worst_class_recall=0.5))
    decision.write(tmp_path)
    values = json.loads((tmp_path / Verdict.FILE).read_text('utf-8'))
    assert list(values) == ['format', 'blessed', 'headline', 'rules', 'paired']
    assert values['paired']['outcome'] == 'worse'
    assert values['format'] == 1 and Verdict.read(tmp_path) == decision
    # A name that turns the direction of writing must not turn the sentence around it.
    assert '\u202e' not in rule(decision, 'worst_class_recall').sentence
    for other in ('[]', '{"format": 2}', 'x'):
        (tmp_path / Verdict.FILE).write_text(other, 'utf-8')
        with pytest.raises(DataError, match=Verdict.FILE):
            Verdict.read(tmp_path)


@hypothesis.given(st.floats(0, 1), st.floats(0, 1))
def test_numbers_that_differ_look_different(value: float, bound: float) -> None:
    first, second = percentages.apart(value, bound)
    assert (first == second) is (value == bound)


def test_decimals_are_added_until_two_shares_can_be_told_apart() -> None:
    assert percentages.apart(0.874, 0.8) == ('87.4 %', '80.0 %')
    assert percentages.apart(0.79996, 0.8) == ('79.996 %', '80.000 %')
    assert percentages.apart(0.8, 0.8) == ('80.0 %', '80.0 %')


def test_corrected_labels_are_named_whatever_the_verdict() -> None:
    for val in (HitCount(176, 200), HitCount(100, 200)):
        decision = judge(counts(val=val, corrected={'train': 9, 'test': 3}), gate())
        caution = rule(decision, 'val_accuracy').caution
        assert integers(caution) == [3, 200] and caution in decision.cautions
    both = judge(counts(corrected={'val': 1, 'test': 3}), gate())
    assert integers(rule(both, 'val_accuracy').caution) == [1, 200, 3, 200]
    assert not rule(judge(counts(corrected={'train': 9}), gate()), 'val_accuracy').caution


# 300 images in 50 groups of 6: 38 groups all correct, 6 with half, 6 with none.
GROUPED = HitCount(246, 300, ((0, 6, 6), (3, 6, 6), (6, 6, 38)))


def test_images_of_a_group_do_not_count_as_independent() -> None:
    alone = judge(counts(val=HitCount(246, 300)), gate(val_accuracy=0.77))
    decision = judge(counts(val=GROUPED), gate(val_accuracy=0.77))
    assert alone.blessed and failed(decision) == ['val_accuracy']
    result = rule(decision, 'val_accuracy')
    assert result.value == clustered_bound.lower_bound(246, 300, GROUPED.clusters)
    assert '246 of 300 images in 50 groups correct' in result.sentence
    interval = clustered_bound.interval(246, 300, GROUPED.clusters)
    assert percentages.between(interval.lower, interval.upper) in result.sentence
    more, total = integers(result.change)
    assert total == 300 + more and result.queue == LabelQueue('unlabelled', more)
    larger = tuple((hits, size, round(k * total / 300)) for hits, size, k in GROUPED.clusters)
    right = sum(hits * k for hits, _, k in larger), sum(size * k for _, size, k in larger)
    assert clustered_bound.lower_bound(*right, larger) == pytest.approx(0.77, abs=0.003)


def test_few_groups_are_too_few_however_many_images_they_have() -> None:
    few = HitCount(500, 500, ((50, 50, 10),))
    result = rule(judge(counts(val=few), gate()), 'val_accuracy')
    assert not result.holds and 'not even all of 500 images in 10 groups' in result.change.lower()
    least = integers(result.change)[-1]
    assert 800 < least <= 850  # 17 groups, as 17 independent images
    passing = HitCount(850, 850, ((50, 50, 17),))
    assert rule(judge(counts(val=passing), gate()), 'val_accuracy').holds


def test_a_class_is_not_shown_bad_by_one_group() -> None:
    bad = {'cat': HitCount(0, 30), 'dog': HitCount(100, 100)}
    assert failed(judge(counts(classes=bad), gate())) == ['class_floor']
    grouped = {'cat': HitCount(0, 30, ((0, 30, 1),)), 'dog': HitCount(100, 100)}
    decision = judge(counts(classes=grouped), gate())
    assert decision.blessed and "'cat' (30)" in rule(decision, 'class_floor').caution
    many = {'cat': HitCount(0, 30, ((0, 2, 15),)), 'dog': HitCount(100, 100)}
    decision = judge(counts(classes=many), gate())
    assert failed(decision) == ['class_floor']
    assert '30 images in 15 groups' in rule(decision, 'class_floor').sentence
    assert rule(decision, 'class_floor').queue == LabelQueue('all')


def test_correlated_losses_against_the_baseline_are_no_proof() -> None:
    """Of 17 images that differ 14 are lost, but 12 of them in two groups."""
    groups = ((-6, 6, 2), (-1, 6, 2), (1, 6, 3), (0, 6, 26))
    pairs = PairedCount(3, 14, 198, clusters=groups)
    decision = judge(counts(baseline=pairs), gate(max_drop=None))
    assert decision.blessed and decision.paired is not None
    assert decision.paired.p_value == paired.sign_flip(groups) > 0.05
    assert '198 images in 33 groups' in rule(decision, 'paired_test').sentence
    assert not judge(counts(baseline=PairedCount(3, 14, 198)), gate(max_drop=None)).blessed
    lost = PairedCount(0, 14, 198, clusters=((-1, 6, 14), (0, 6, 19)))
    assert failed(judge(counts(baseline=lost), gate(max_drop=None))) == ['paired_test']


def test_a_contradiction_counts_groups() -> None:
    test = HitCount(150, 200, ((0, 25, 2), (25, 25, 6)))
    assert judge(counts(test=HitCount(150, 200)), gate()).cautions
    decision = judge(counts(test=test), gate())
    assert not decision.cautions
    assert '200 images in 8 groups' in rule(decision, 'test_contradiction').sentence


def test_repeated_looks_are_told_and_decide_nothing() -> None:
    assert 'looks' not in [result.name for result in judge(GOOD, gate()).rules]
    decision = judge(counts(looks=4), gate())
    result = rule(decision, 'looks')
    assert decision.blessed and result.holds is None and result.value == 4
    assert '4 models' in result.sentence and '10.0 %' in result.sentence
    assert rule(decision, 'val_accuracy') == rule(judge(GOOD, gate()), 'val_accuracy')
    assert '100.0 %' in rule(judge(counts(looks=90), gate()), 'looks').sentence
    point = judge(counts(looks=4), gate(strictness='point', max_drop=None))
    assert 'looks' not in [result.name for result in point.rules]


def test_what_chose_the_settings_is_no_proof_of_them() -> None:
    assert 'tuned' not in [result.name for result in judge(GOOD, gate()).rules]
    decision = judge(counts(tuned=True), gate())
    assert rule(decision, 'tuned').holds is None and decision.blessed
    assert any('training.tuned' in caution for caution in decision.cautions)
    assert not any(
        'training.tuned' in caution
        for caution in judge(counts(tuned=True), gate(strictness='point', max_drop=None)).cautions
    )


def test_strict_looks_pay_with_the_bound() -> None:
    strict = gate(looks='strict', max_drop=None)
    for number, least in ((1, 173), (4, 178)):
        alpha = 0.025 / (number * (number + 1))
        for hits in (least - 1, least):
            decision = judge(counts(val=HitCount(hits, 200), looks=number), strict)
            result = rule(decision, 'val_accuracy')
            assert result.value == proportions.lower_bound(hits, 200, 1 - 2 * alpha)
            assert result.holds is (hits == least) is decision.blessed
        refused = judge(counts(val=HitCount(least - 1, 200), looks=number), strict)
        assert integers(rule(refused, 'val_accuracy').change)[0] == least
    said = rule(decision, 'looks').sentence
    assert 'model 4' in said and '0.125 %' in said
    grouped = rule(judge(counts(val=GROUPED, looks=4), strict), 'val_accuracy')
    assert grouped.value == clustered_bound.lower_bound(246, 300, GROUPED.clusters, 0.025 / 20)


def test_all_looks_together_are_allowed_as_much_as_one() -> None:
    strict = gate(looks='strict')
    shares = [repeated_looks.alpha(strict, number) for number in range(1, 2001)]
    assert 0.0249 < sum(shares) < 0.025
    # All of 30 models at the threshold, with independent mistakes: one of them is blessed.
    for n in (60, 200, 1000):
        none = 1.0
        for number in range(1, 31):
            needed = proportions.hits_needed(n, 0.8, 1 - 2 * shares[number - 1])
            none *= 1.0 if needed is None else 1 - scipy.stats.binom.sf(needed - 1, n, 0.8)
        assert 1 - none <= 0.025
