"""The cards in words."""

from __future__ import annotations

import dataclasses

import pytest
import tensorflow_data_validation as tfdv

from tests import made_records, made_report
from thawline.components.evaluation.gate.counts import Counts, HitCount, PairedCount
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.verdict import judge
from thawline.components.report import changes_card, data_card, model_card
from thawline.components.report.content import Fact, RunFacts, SplitResults, Verdict
from thawline.components.saved_model.card import Card
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.shared.lineage import Step
from thawline.components.training.record import Affinity, AugmentationRecord, Scores


def data_facts(**changes: object) -> data_card.DataCardInputs:
    values: dict = {
        'summary': made_records.ingestion(
            {'train': {'a': 20, 'b': 10}, 'val': {'a': 5, '': 5}}
        ),
        'findings': [], 'differences': [], 'means': {}, 'groups': {},
        'suspects': 0, 'compared': 0, 'not_sliced': [], 'deleted': 0,
        'buckets': Fact('Buckets', 'none'),
    }  # fmt: skip
    return data_card.DataCardInputs(**{**values, **changes})


def facts(card: object) -> dict[str, Fact]:
    return {fact.term: fact for fact in card.facts}  # type: ignore[attr-defined]


def test_data_card_of_a_set_without_remarks() -> None:
    found = facts(data_card.card(data_facts()))
    assert found['Splits'].value == 'train 30, val 10'
    assert found['Images per class'] == Fact(
        'Images per class', '5 to 25', 'a 25, b 10, (no label) 5'
    )
    assert found['Quarantined'].value == found['Differences from the schema'].value == 'none'
    assert found['Suspicious labels'].value == 'not checked'
    assert found['Groups'].value == 'not counted'
    assert 'Remarks' not in found


def test_groups_in_two_splits_are_called_out() -> None:
    leak = {'train': {b'x', b'y'}, 'val': {b'y', b'z'}, 'test': {b'q'}}
    found = facts(data_card.card(data_facts(groups=leak)))
    assert found['Groups'].value == '1 of 4 are in more than one split'


def test_drift_beyond_chance_alone_is_the_headline() -> None:
    means = {
        'train': {'brightness': (0.5, 0.1, 1000), 'width': (300.0, 0.0, 1000)},
        'val': {'brightness': (0.51, 0.1, 100), 'width': (300.0, 0.0, 100)},
        'test': {'brightness': (0.45, 0.1, 100)},
    }
    found = data_card.drift_fact(means)
    assert found.value == 'brightness of test -0.50 standard deviations'
    assert 'brightness of val +0.10' in found.detail and 'width' not in found.detail
    del means['test']
    assert data_card.drift_fact(means).value == 'none beyond chance'
    assert data_card.drift_fact({'train': means['train']}).value == 'not measured'


def test_means_are_those_of_the_statistics() -> None:
    import pandas as pd

    frame = pd.DataFrame({'brightness': [0.2, 0.4, 0.6], 'label': ['a', 'b', 'a']})
    found = data_card.feature_means(tfdv.generate_statistics_from_dataframe(frame, n_jobs=1))
    assert set(found) == {'brightness'}
    mean, deviation, images = found['brightness']
    assert (mean, deviation, images) == (pytest.approx(0.4), pytest.approx(0.1633, abs=1e-4), 3)


def model_facts(**record: object) -> model_card.ModelCardInputs:
    steps = [Step('Trainer', 'r1', 514.2, {'model': 4}), Step('Evaluator', 'r2', 7.26, {})]
    served = Card(('bad', 'good'), 160, 'crop', Rule(1.5, 0.31, 0))
    return model_card.ModelCardInputs(
        made_records.training(**record), served, 14.25, {'name': 'x', 'a': {'b': [1]}}, steps, 4
    )


def test_model_card() -> None:
    found = facts(model_card.card(model_facts()))
    assert found['Hash of the base weights'].value == 'sha256 abc'
    assert 'bad ' in found['Prediction'].value and '0.310' in found['Prediction'].value
    assert found['Time of the nodes'] == Fact(
        'Time of the nodes', '8 min 41 s', 'Trainer 8 min 34 s, Evaluator 7.3 s'
    )
    assert found['Model'].detail == 'model 4 by Trainer in run r1'
    assert found['Configuration'].detail == 'name: x\na:\n  b:\n  - 1\n'
    assert found['Environment'].value == 'python 3.11.7, tensorflow 2.21.0'
    assert 'Test-time augmentation' not in found


def test_model_card_tells_what_mirrored_views_gained() -> None:
    with_views, without = Scores(0.9, 0.5, 40), Scores(0.875, 0.5, 40)
    made = model_facts(val=with_views, without_test_time_augmentation=without)
    found = facts(model_card.card(made))['Test-time augmentation']
    assert '90.0 %' in found.detail and '87.5 %' in found.detail


def test_model_card_tells_how_images_were_augmented_and_why() -> None:
    assert 'Augmentation' not in facts(model_card.card(model_facts()))
    named = model_facts(augmentation=AugmentationRecord('light', {}))
    assert facts(model_card.card(named))['Augmentation'] == Fact('Augmentation', 'light')
    looked = Affinity(0.488, increase=1.154, error=0.1, plain=0.333)
    made = AugmentationRecord('flips', {'standard': looked, 'up_down': looked})
    found = facts(model_card.card(model_facts(augmentation=made)))['Augmentation']
    assert found.value == 'flips, chosen by measurement'
    for name in ('standard', 'up-down'):
        assert f'{name} 48.8 % (log loss +1.154)' in found.detail


def test_curves_of_a_thaw_and_without_one() -> None:
    plain = model_card.learning_curves(model_facts().record)
    assert (plain.epochs, plain.best_epoch, plain.probe_val) == ((), None, 0.5)
    tuned = model_facts(kept='fine_tuned', fine_tune=made_records.fine_tuned(0.7))
    found = model_card.learning_curves(tuned.record)
    assert found.best_epoch == 1 and found.epochs[0].blocks == 3 and found.kept == 'fine_tuned'


def test_differences_of_nested_values() -> None:
    before = {'a': {'b': 1, 'c': [1, 2]}, 'gone': True, 'same': 'x'}
    now = {'a': {'b': 2, 'c': [1, 2]}, 'same': 'x', 'new': None, 'other': {'d': 0}}
    assert list(changes_card.changed_values(before, now)) == [
        'a.b: 1 → 2',
        'gone: True → none',
        "other: none → {'d': 0}",
    ]
    assert list(changes_card.changed_values(None, None)) == []


def candidate(verdict: Verdict, **splits: SplitResults) -> changes_card.ReportedRun:
    return changes_card.ReportedRun('r2', verdict, 'not blessed', splits, ('a', 'b'), RunFacts())


def test_first_report_and_other_classes() -> None:
    of = candidate(Verdict(False, '', ()))
    found = facts(changes_card.card(of, None))
    assert 'first report' in found['Last run'].value
    assert found['Against the baseline'].value == 'not compared'
    previous = dataclasses.replace(
        made_report.content(2, n=4), classes=('b', 'c'), verdict=Verdict(True, '', ())
    )
    found = facts(changes_card.card(of, previous))
    assert found['Verdict'].value == 'blessed → not blessed'
    assert found['New classes'].detail == 'a' and found['Removed classes'].detail == 'c'


@pytest.mark.parametrize(
    ('won', 'lost', 'n', 'value'),
    [
        (3, 14, 200, 'worse (−5.5 points, 95 % interval −10.1 to −1.7 points)'),  # noqa: RUF001
        (14, 3, 200, 'better (+5.5 points, '),
        (5, 5, 200, 'no difference shown: may be chance (+0.0 points, '),
        (0, 3, 7, 'too few to judge'),
    ],
)
def test_the_baseline_is_compared_as_by_the_gate_alone(
    won: int, lost: int, n: int, value: str
) -> None:
    """The accuracies of the last run stand there without a judgement."""
    good = HitCount(190, 200)
    verdict = judge(Counts(good, good, {}, baseline=PairedCount(won, lost, n)), Gate())
    previous = made_report.content(2, n=40)
    found = facts(changes_card.card(candidate(verdict, **previous.splits), previous))
    fact = found['Against the baseline']
    assert fact.value.replace('\u00a0', ' ').startswith(value)
    (rule,) = (rule for rule in verdict.rules if rule.name == 'paired_test')
    assert fact.detail == rule.sentence
    assert 'chance' not in found['val accuracy'].detail
    assert f'thawline compare {previous.run} r2' in found['val accuracy'].detail


@pytest.mark.parametrize(
    ('now', 'value'),
    [
        ({'train': {'a': 60, 'b': 40}, 'val': {'a': 20, 'b': 20}}, '40 more: 100 → 140'),
        ({'train': {'a': 30, 'b': 30}}, '40 fewer: 100 → 60'),
        ({'train': {'a': 30, 'b': 30}, 'val': {'a': 20, 'b': 20}}, '100, otherwise divided'),
    ],
)
def test_images_that_changed_are_counted_as_images(now, value) -> None:
    before = {'train': {'a': 40, 'b': 30}, 'val': {'a': 15, 'b': 15}}
    assert changes_card._image_counts(before, now) == value
