"""What stops a run before training: every finding, alone and in all mixtures."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pydantic
import pytest

from tests import golden
from thawline.components.data_gate import schema_change
from thawline.components.data_gate.findings import DataFacts, find
from thawline.components.data_gate.params import DataPolicy
from thawline.components.data_gate.schema_change import KINDS, Kind, SchemaChange
from thawline.components.shared.finding import Finding
from thawline.components.shared.splits import SPLITS

SANE = {
    'train': {'cat': 70, 'dog': 60},
    'val': {'cat': 15, 'dog': 15},
    'test': {'cat': 15, 'dog': 15},
}

CHANGES = [
    SchemaChange('new_class', "d'or [1]", 'new class "d\'or [1]", 3 images (train 3)'),
    SchemaChange('formats', 'PNG', 'new source format PNG, 3 images (train 3), 1.6 %'),
    *(
        SchemaChange('new_value', 'meta_site', f"new value 'site {i}' of meta_site", f'site {i}')
        for i in range(9_998)
    ),
]


def facts(
    class_counts: Mapping[str, Mapping[str, int]] | None = None,
    listed: int = 190,
    quarantined: int = 0,
    reasons: Mapping[str, int] | None = None,
    changes: Sequence[SchemaChange] = (),
) -> DataFacts:
    counts = SANE if class_counts is None else class_counts
    return DataFacts(counts, listed, quarantined, reasons or {}, changes)


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_sane_data_give_no_finding() -> None:
    assert find(facts(), DataPolicy()) == []


@pytest.mark.parametrize(
    'counts', [{}, {'train': {'cat': 100}, 'val': {'cat': 20}, 'test': {'cat': 20}}]
)
def test_fewer_than_two_classes_is_fatal(counts: dict[str, dict[str, int]]) -> None:
    finding = only(find(facts(counts), DataPolicy()))
    labels = counts.get('train', {})
    assert finding.fatal and all(repr(label) in finding.message for label in labels)


def test_small_class_is_fatal_and_named_with_its_count() -> None:
    counts = {split: {'cat': 20, 'dog': 20, 'owl': 3} for split in SPLITS}
    finding = only(find(facts(counts), DataPolicy()))
    assert finding.fatal
    assert "10 images: 'owl' (9)" in finding.message
    assert 'data_gate.min_images_per_class' in finding.message
    assert find(facts(counts), DataPolicy(min_images_per_class=9)) == []


def test_many_small_classes_are_counted_and_some_named() -> None:
    counts = {split: {f'c{i}': 1 for i in range(8)} for split in SPLITS}
    finding = only(find(facts(counts), DataPolicy()))
    assert '8 classes' in finding.message and 'and 3 more' in finding.message
    assert finding.message.count("'c") == 5


def test_class_absent_from_train_is_fatal_from_others_a_remark() -> None:
    everywhere = {split: {'cat': 30, 'dog': 30, 'owl': 30} for split in SPLITS}
    for split in SPLITS:
        counts = {**everywhere, split: {'cat': 30, 'dog': 30}}
        finding = only(find(facts(counts), DataPolicy()))
        assert finding.fatal is (split == 'train')
        assert "'owl'" in finding.message and f'images in {split}' in finding.message
    nothing_in_val = find(facts({**everywhere, 'val': {}}), DataPolicy())
    assert "'cat', 'dog', 'owl'" in only(nothing_in_val).message


def test_a_split_that_is_not_there_lacks_no_class() -> None:
    """With folds there may be no test."""
    counts = {split: {'cat': 20, 'dog': 20} for split in ('train', 'val')}
    assert find(facts(counts), DataPolicy()) == []


def test_quarantine_above_the_limit_is_fatal_at_the_limit_not() -> None:
    reasons = {'truncated': 2, 'not_an_image': 9}
    assert find(facts(listed=220, quarantined=11, reasons=reasons), DataPolicy()) == []
    finding = only(find(facts(listed=219, quarantined=11, reasons=reasons), DataPolicy()))
    assert finding.fatal
    for part in ('11 of 219 files (5.0 %)', 'data_gate.max_quarantined', 'not_an_image'):
        assert part in finding.message
    finding = only(find(facts(listed=0), DataPolicy()))
    assert finding.fatal and '0 of 0 files' in finding.message


@pytest.mark.parametrize('kind', KINDS)
def test_each_kind_of_change_has_its_policy(kind: Kind) -> None:
    changes = [SchemaChange(kind, 'x', 'what is new')]
    for action, fatal in (('stop', True), ('warn', False)):
        finding = only(find(facts(changes=changes), DataPolicy.model_validate({kind: action})))
        assert (finding.fatal, finding.kind) == (fatal, kind)
        assert f'what is new; if that is right: thawline schema accept {changes[0].name}' == (
            finding.message
        )
    assert find(facts(changes=changes), DataPolicy.model_validate({kind: 'ignore'})) == []


def test_quarantine_warns_or_is_ignored() -> None:
    bad = facts(listed=100, quarantined=50)
    finding = only(find(bad, DataPolicy(quarantined='warn')))
    assert not finding.fatal and finding.kind == 'quarantined'
    assert find(bad, DataPolicy(quarantined='ignore')) == []


def test_imbalance_is_a_remark() -> None:
    counts = {split: {'cat': 101, 'dog': 10} for split in SPLITS}
    finding = only(find(facts(counts), DataPolicy()))
    assert not finding.fatal
    for part in ("'cat'", '303', "'dog'", '30'):
        assert part in finding.message
    even = {split: {'cat': 100, 'dog': 10} for split in SPLITS}
    assert find(facts(even), DataPolicy()) == []


def test_fatal_findings_come_first() -> None:
    counts = {'train': {'cat': 500, 'dog': 10}, 'val': {'cat': 5}, 'test': {'cat': 5, 'dog': 1}}
    findings = find(facts(counts, listed=10, quarantined=9), DataPolicy())
    assert [finding.fatal for finding in findings] == [True, False, False]


@pytest.mark.golden
def test_wording() -> None:
    tiny = {split: {f'c{i}': 1 for i in range(8)} for split in SPLITS}
    counts = {'train': {'cat': 500, 'dog': 9}, 'val': {'cat': 5, 'owl': 1}, 'test': {'cat': 5}}
    cases = (
        facts({}),
        facts({'train': {'cat': 100}}),
        facts(tiny, listed=0),
        facts(counts, 200, 100, {'truncated': 10, 'not_an_image': 90}),
        facts({split: {'cat': 101, 'dog': 10} for split in SPLITS}),
        facts(changes=CHANGES),
    )
    lines = []
    for number, case in enumerate(cases, 1):
        for finding in find(case, DataPolicy()):
            lines.append(f'{number} {"stops" if finding.fatal else "remark"}: {finding.message}')
    golden.check('data_gate_findings.txt', '\n'.join(lines) + '\n')


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
    policy = DataPolicy(min_images_per_class=minimum)
    assert find(facts(counts, listed=100, quarantined=quarantined), policy) == []


@hypothesis.given(any_counts(0, 12), st.integers(1, 40))
def test_class_below_the_minimum_is_always_fatal(
    counts: dict[str, dict[str, int]], minimum: int
) -> None:
    policy = DataPolicy(min_images_per_class=minimum)
    names = counts['train']
    small = [c for c in names if sum(counts[split][c] for split in SPLITS) < minimum]
    findings = [f for f in find(facts(counts), policy) if 'min_images_per_class' in f.message]
    assert bool(findings) == bool(small)
    assert all(finding.fatal for finding in findings)
    if 0 < len(small) <= 5:
        assert all(repr(c) in findings[0].message for c in small)


@hypothesis.given(any_counts(0, 12))
def test_class_that_train_lacks_is_always_fatal(counts: dict[str, dict[str, int]]) -> None:
    absent = [c for c in counts['train'] if not counts['train'][c]]
    fatal = [f for f in find(facts(counts), DataPolicy()) if 'no images in train' in f.message]
    assert bool(fatal) == bool(absent)
    assert all(f.fatal for f in fatal)


@pytest.mark.parametrize(
    'wrong',
    [{'min_images_per_class': 0}, {'max_quarantined': 1.5}, {'new_class': 'no'}, {'other': 1}],
)
def test_policy_refuses_what_it_does_not_know(wrong: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        DataPolicy(**wrong)


def test_the_key_of_before_names_those_that_replaced_it() -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        DataPolicy.model_validate({'anomalies': 'warn'})
    assert all(kind in str(caught.value) for kind in KINDS)


def test_names_of_changes() -> None:
    names = [change.name for change in CHANGES[:3]]
    assert names == ["class:d'or [1]", 'format:PNG', 'value:meta_site=site 0']
    lines = schema_change.lines(CHANGES)
    assert [line.name for line in lines] == [*names[:2], 'value:meta_site']
    assert '9,998' in lines[2].message and len(lines[2].message) < 120
    assert shlex.split(lines[0].accept)[-1] == names[0]


@pytest.mark.parametrize(
    ('names', 'count', 'unknown'),
    [
        (['format:PNG'], 1, []),
        (['formats', 'new_class'], 2, []),
        (['value:meta_site'], 9_998, []),
        (['value:meta_site=site 7', 'format:PNG'], 2, []),
        (['format:png', 'format:PNG', ''], 1, ['', 'format:png']),
    ],
)
def test_changes_are_chosen_by_name_group_or_kind(
    names: list[str], count: int, unknown: list[str]
) -> None:
    chosen, left = schema_change.select(CHANGES, names)
    assert (len(chosen), left) == (count, unknown)
