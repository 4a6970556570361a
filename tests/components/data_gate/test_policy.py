"""What stops a run before training: every finding, alone and in all mixtures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pydantic
import pytest

from thawline.components.data_gate.policy import DataGate, Facts, Finding, judge
from thawline.components.shared.splits import SPLITS

SANE = {
    'train': {'cat': 70, 'dog': 60},
    'val': {'cat': 15, 'dog': 15},
    'test': {'cat': 15, 'dog': 15},
}


def facts(
    class_counts: Mapping[str, Mapping[str, int]] | None = None,
    listed: int = 190,
    quarantined: int = 0,
    reasons: Mapping[str, int] | None = None,
    anomalies: Mapping[str, Sequence[str]] | None = None,
) -> Facts:
    counts = SANE if class_counts is None else class_counts
    return Facts(counts, listed, quarantined, reasons or {}, anomalies or {})


def only(found: list[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_sane_data_give_no_finding() -> None:
    assert judge(facts(), DataGate()) == []


@pytest.mark.parametrize(
    ('counts', 'said'),
    [
        ({}, 'only 0 class'),
        ({'train': {'cat': 100}, 'val': {'cat': 20}, 'test': {'cat': 20}}, "only 1 class ('cat')"),
    ],
)
def test_fewer_than_two_classes_is_fatal(counts: dict[str, dict[str, int]], said: str) -> None:
    finding = only(judge(facts(counts), DataGate()))
    assert finding.fatal and said in finding.message


def test_small_class_is_fatal_and_named_with_its_count() -> None:
    counts = {split: {'cat': 20, 'dog': 20, 'owl': 3} for split in SPLITS}
    finding = only(judge(facts(counts), DataGate()))
    assert finding.fatal
    assert "1 class with fewer than 10 images: 'owl' (9)" in finding.message
    assert 'data_gate.min_images_per_class' in finding.message
    assert judge(facts(counts), DataGate(min_images_per_class=9)) == []


def test_many_small_classes_are_counted_and_some_named() -> None:
    counts = {split: {f'c{i}': 1 for i in range(8)} for split in SPLITS}
    finding = only(judge(facts(counts), DataGate()))
    assert '8 classes with fewer than 10' in finding.message
    assert finding.message.count("'c") == 5


def test_class_absent_from_train_is_fatal_from_others_a_remark() -> None:
    everywhere = {split: {'cat': 30, 'dog': 30, 'owl': 30} for split in SPLITS}
    for split in SPLITS:
        counts = {**everywhere, split: {'cat': 30, 'dog': 30}}
        finding = only(judge(facts(counts), DataGate()))
        assert finding.fatal is (split == 'train')
        assert f"'owl' has no image in {split}" in finding.message
    nothing_in_val = judge(facts({**everywhere, 'val': {}}), DataGate())
    assert "'cat', 'dog', 'owl' have no image in val" in only(nothing_in_val).message


def test_quarantine_above_the_limit_is_fatal_at_the_limit_not() -> None:
    reasons = {'truncated': 2, 'not_an_image': 9}
    assert judge(facts(listed=220, quarantined=11, reasons=reasons), DataGate()) == []
    finding = only(judge(facts(listed=219, quarantined=11, reasons=reasons), DataGate()))
    assert finding.fatal
    for part in (
        '11 of 219 files (5.0 %)',
        'data_gate.max_quarantined',
        'most often: not_an_image',
    ):
        assert part in finding.message
    finding = only(judge(facts(listed=0), DataGate()))
    assert finding.fatal and '0 of 0 files' in finding.message


def test_anomalies_stop_or_warn() -> None:
    anomalies = {'train': ['one', 'two'], 'val': ['three'], 'test': []}
    for policy, fatal in ((DataGate(), True), (DataGate(anomalies='warn'), False)):
        found = judge(facts(anomalies=anomalies), policy)
        assert [f.fatal for f in found] == [fatal] * 3
        assert found[0].message == 'anomaly in train: one'
        assert found[2].message == 'anomaly in val: three'


def test_imbalance_is_a_remark() -> None:
    counts = {split: {'cat': 101, 'dog': 10} for split in SPLITS}
    finding = only(judge(facts(counts), DataGate()))
    assert not finding.fatal
    assert "'cat' has 303 images and 'dog' 30" in finding.message
    even = {split: {'cat': 100, 'dog': 10} for split in SPLITS}
    assert judge(facts(even), DataGate()) == []


def test_fatal_findings_come_first() -> None:
    counts = {'train': {'cat': 500, 'dog': 10}, 'val': {'cat': 5}, 'test': {'cat': 5, 'dog': 1}}
    found = judge(facts(counts, listed=10, quarantined=9), DataGate())
    assert [f.fatal for f in found] == [True, False, False]


classes = st.lists(st.text(min_size=1, max_size=6), min_size=2, max_size=5, unique=True)


@st.composite
def any_counts(draw: st.DrawFn, low: int, high: int) -> dict[str, dict[str, int]]:
    """Counts of every class in every split."""
    names = draw(classes)
    return {split: {c: draw(st.integers(low, high)) for c in names} for split in SPLITS}


@hypothesis.given(any_counts(10, 100), st.integers(1, 30), st.integers(0, 5))
def test_balanced_sane_data_have_no_finding(
    counts: dict[str, dict[str, int]], minimum: int, quarantined: int
) -> None:
    policy = DataGate(min_images_per_class=minimum)
    assert judge(facts(counts, listed=100, quarantined=quarantined), policy) == []


@hypothesis.given(any_counts(0, 12), st.integers(1, 40))
def test_class_below_the_minimum_is_always_fatal(
    counts: dict[str, dict[str, int]], minimum: int
) -> None:
    policy = DataGate(min_images_per_class=minimum)
    names = counts['train']
    small = [c for c in names if sum(counts[split][c] for split in SPLITS) < minimum]
    found = [f for f in judge(facts(counts), policy) if 'with fewer than' in f.message]
    assert bool(found) == bool(small)
    assert all(f.fatal for f in found)
    if 0 < len(small) <= 5:
        assert all(repr(c) in found[0].message for c in small)


@hypothesis.given(any_counts(0, 12))
def test_class_that_train_lacks_is_always_fatal(counts: dict[str, dict[str, int]]) -> None:
    absent = [c for c in counts['train'] if not counts['train'][c]]
    fatal = [f for f in judge(facts(counts), DataGate()) if 'no image in train' in f.message]
    assert bool(fatal) == bool(absent)
    assert all(f.fatal for f in fatal)


@pytest.mark.parametrize(
    'wrong',
    [{'min_images_per_class': 0}, {'max_quarantined': 1.5}, {'anomalies': 'ignore'}, {'other': 1}],
)
def test_policy_refuses_what_it_does_not_know(wrong: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        DataGate(**wrong)
