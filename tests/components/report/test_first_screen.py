"""What the first screen says, by the values it rests on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from tests import made_records, made_report
from thawline.components.evaluation.gate.counts import Counts, HitCount, PairedCount
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.record import Verdict
from thawline.components.evaluation.gate.verdict import judge
from thawline.components.report import changes_card, content, first_screen, slices
from thawline.components.report.content import ClassRow, Fact, FactCard, RunFacts, SplitResults
from thawline.components.statistics.proportions import wilson
from thawline.pipeline.reports import markdown

GOOD, BAD = HitCount(195, 200), HitCount(120, 200)


def facts(card: FactCard) -> dict[str, Fact]:
    return {fact.term: fact for fact in card.facts}


def results(**counts: tuple[int, int]) -> SplitResults:
    """Hits and images by class."""
    rows = tuple(
        ClassRow(name, n, 4 * n, None, wilson(hits, n), None, None)
        for name, (hits, n) in counts.items()
    )
    hits, images = map(sum, zip(*counts.values(), strict=True))
    return SplitResults(wilson(hits, images), {}, rows, (), (), ())


@pytest.mark.parametrize(
    ('counts', 'split'),
    [
        (Counts(GOOD, GOOD, {}), 'val'),
        (Counts(BAD, BAD, {}), 'val'),
        (Counts(GOOD, BAD, {}), 'test'),
        (Counts(GOOD, GOOD, {}, baseline=PairedCount(0, 9, 100)), 'test'),
        (Counts(BAD, HitCount(20, 200), {}), 'val'),
    ],
)
def test_it_opens_on_the_split_that_refused(counts: Counts, split: str) -> None:
    gate = Gate(test_contradiction='refuse')
    assert first_screen.opening_split(judge(counts, gate), ('val', 'test')) == split


def test_a_report_without_test_images_opens_on_val() -> None:
    verdict = judge(Counts(GOOD, GOOD, {}, baseline=PairedCount(0, 9, 100)), Gate())
    assert first_screen.opening_split(verdict, ('val',)) == 'val'


def test_a_model_that_the_serving_check_refused_is_not_called_blessed() -> None:
    passed = dataclasses.replace(
        made_report.content(), verdict=judge(Counts(GOOD, GOOD, {}), Gate())
    )
    refused = dataclasses.replace(passed, serving_problems=('18.7 ms for one image',))
    assert (passed.is_servable, refused.is_servable) == (True, False)
    assert first_screen.title(passed) == 'Blessed'
    assert 'serving check' in first_screen.title(refused)
    assert '18.7 ms for one image' in first_screen.sentences(refused)[0]
    text = markdown.render(refused)
    assert text.startswith('## ❌ Refused by the serving check: ') and '18.7 ms' in text
    again = content.from_json(content.summary_to_json(refused))
    assert again.serving_problems == refused.serving_problems


def test_the_weakest_class_is_one_with_enough_images() -> None:
    card = facts(first_screen.weaknesses('val', results(a=(15, 30), b=(0, 2), c=(29, 30)), 20))
    assert card['Weakest class'].value == 'a, 50.0\u00a0%'
    assert card['Weakest class'].detail.startswith('15 of 30 val images')
    assert card['Too few to judge'].value == 'b (2)'


def test_few_images_of_every_class_are_called_too_few() -> None:
    card = facts(first_screen.weaknesses('val', results(a=(3, 4), b=(1, 4)), 20))
    assert card['Weakest class'].value.startswith('b, 25.0')
    assert card['Weakest class'].detail.endswith('too few to judge')


def test_the_gap_of_a_slice_is_to_all_images_and_the_largest_comes_first() -> None:
    hits = np.array([True] * 60 + [False] * 20 + [True] * 20)
    place = np.array(['in'] * 40 + ['out'] * 40 + ['far'] * 10 + ['none'] * 10, object)
    parts = slices.slice_accuracies({'meta_place': place}, [['meta_place']], hits, 20)
    of = {part.value: part for part in parts}
    gap = of['out'].gap
    assert gap is not None and gap.value == pytest.approx(0.5 - 0.8)
    # Newcombe's interval against the other 60 images, all right, times their share of all.
    assert (gap.lower, gap.upper) == pytest.approx((-0.3888, -0.2041), abs=1e-3)
    weak = dataclasses.replace(results(a=(80, 100)), slices=parts)
    card = facts(first_screen.weaknesses('val', weak, 20))
    assert card['Weakest slice'].value == 'meta_place out, 50.0\u00a0%'
    assert 'may be chance' not in card['Weakest slice'].detail


def test_small_slices_alone_are_not_judged() -> None:
    parts = slices.slice_accuracies(
        {'c': np.array(['x', 'y'], object)}, [['c']], np.array([True, False]), 20
    )
    weak = dataclasses.replace(results(a=(1, 2)), slices=parts)
    assert facts(first_screen.weaknesses('val', weak, 20))['Weakest slice'].value == (
        'too few to judge'
    )


def test_a_slice_that_holds_all_images_has_no_gap() -> None:
    (part,) = slices.slice_accuracies(
        {'c': np.array(['x'] * 30, object)}, [['c']], np.ones(30, bool), 20
    )
    assert part.gap is None


def reported(
    decision: str,
    splits: Mapping[str, SplitResults],
    classes: tuple[str, ...],
    run_facts: RunFacts,
) -> changes_card.ReportedRun:
    verdict = Verdict(decision == 'blessed', '', ())
    return changes_card.ReportedRun('r2', verdict, decision, splits, classes, run_facts)


def test_the_first_report_has_nothing_to_compare_with() -> None:
    (only,) = changes_card.brief(reported('blessed', {}, ('a',), RunFacts()), None)
    assert (only.term, only.value) == ('Last report', 'none')


def test_what_changed_is_said_in_short_lines() -> None:
    before = dataclasses.replace(
        made_report.content(2),
        facts=RunFacts({'a': 1, 'b': {'c': 2}}, {'train': {'x': 10}}, environment={'keras': '1'}),
    )
    now = RunFacts({'a': 2, 'b': {'c': 3}}, {'train': {'x': 14}}, environment={'keras': '2'})
    classes = (*before.classes, 'wasp')
    lines = changes_card.brief(reported('blessed', before.splits, classes, now), before)
    by_term = {fact.term: fact for fact in lines}
    assert by_term['Verdict'].value == 'not blessed → blessed'
    assert by_term['val accuracy'].detail == 'each run on its own val images'
    assert by_term['New classes'].value == 'wasp'
    assert by_term['Settings'] == Fact('Settings', '2 changed', 'a: 1 → 2, b.c: 2 → 3')
    assert by_term['Images'].value == '4 more: 10 → 14'
    assert by_term['Also changed'].value == 'Environment'
    same = changes_card.brief(reported('not blessed', {}, before.classes, before.facts), before)
    assert [fact.value for fact in same] == ['the same']


def test_the_baseline_comes_first_and_a_caution_is_not_repeated() -> None:
    for counts, value in (
        (PairedCount(0, 9, 100), 'worse'),
        (PairedCount(9, 0, 100), 'better'),
        (PairedCount(4, 5, 100), 'no difference shown: may be chance'),
        (PairedCount(1, 0, 3), 'too few to judge'),
    ):
        verdict = judge(Counts(GOOD, GOOD, {}, baseline=counts), Gate())
        fact, last = first_screen.changes(verdict, [Fact('Last report', 'none')]).facts
        assert fact.value.startswith(value) and last.term == 'Last report'
        if value == 'too few to judge':
            assert not fact.detail
        else:
            assert fact.detail.startswith(f'won {counts.won}, lost {counts.lost} of 100 images')


def test_evidence_on_labels_is_counted_by_split() -> None:
    summary = made_records.ingestion({'train': {'a': 90}}, 3)
    summary = dataclasses.replace(summary, reasons={'conflicting labels': 2, 'truncated': 1})
    card = facts(first_screen.labels(first_screen.LabelEvidence({'val': 4}, 80, summary)))
    assert card['Suspicious labels'].value == '4 of 80 (5.0\u00a0%)'
    assert '4 in val' in card['Suspicious labels'].detail
    assert card['Conflicting labels'].value == '2 files'
    assert card['Quarantined'].value == '3 of 93 files'
    none = facts(first_screen.labels(first_screen.LabelEvidence({}, 0, summary)))
    assert none['Suspicious labels'].value == 'not checked'
