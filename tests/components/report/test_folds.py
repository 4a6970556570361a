"""A report of images that were judged in folds: it calls them neither val nor train."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np
import pytest
import tensorflow as tf

from tests import made_records
from tests.components.report import report_inputs
from tests.components.report.report_inputs import Drawn
from tests.components.transformed import Transformed
from thawline.components.export.record import ExportsRecord
from thawline.components.report import (
    audited_data,
    build,
    changes_card,
    data_card,
    first_screen,
    model_card,
    page,
    pictures,
    serving_card,
    tables,
    training_section,
)
from thawline.components.report.content import EpochScores, Fact, ReportContent
from thawline.components.saved_model.card import AbstainThreshold
from thawline.components.serving_check.record import ServingCheckRecord
from thawline.pipeline.reports import markdown

CLASSES = ('a', 'b')
FOLDS = 5


@pytest.fixture(scope='module')
def plain(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> build.ReportInputs:
    from tests.components.transformed import CLASSES

    return report_inputs.given(transformed, tmp_path_factory.mktemp('given'), CLASSES[:2])


@pytest.fixture(scope='module')
def inputs(plain: build.ReportInputs) -> build.ReportInputs:
    """Answers to val that were held out in folds; there is no test split."""
    is_val = plain.predictions.splits == 'val'
    columns = {name: values[is_val] for name, values in plain.predictions.columns.items()}
    arrays = {
        field: getattr(plain.predictions, field)[is_val]
        for field in (
            'ids', 'paths', 'splits', 'clusters', 'labels', 'labelled', 'answers', 'scores',
            'probabilities', 'served_answers', 'served_probabilities',
        )
    }  # fmt: skip
    folds = np.arange(is_val.sum()) % FOLDS
    predictions = dataclasses.replace(plain.predictions, columns=columns, folds=folds, **arrays)
    summary = dataclasses.replace(plain.data.summary, folds=FOLDS)
    record = dataclasses.replace(plain.model.record, validation=made_records.in_folds())
    return dataclasses.replace(
        plain,
        predictions=predictions,
        data=dataclasses.replace(plain.data, summary=summary),
        model=dataclasses.replace(plain.model, record=record),
    )


@pytest.fixture(scope='module')
def report(inputs: build.ReportInputs) -> ReportContent:
    return build.build_content(inputs)


def test_all_images_are_called_cross_validation(report: ReportContent) -> None:
    results = report.splits['val']
    assert results.folds == FOLDS
    assert {row.train_images for row in results.classes} == {None}
    titles = [column.title for column in tables.classes(results, 'x').columns]
    assert 'In train' not in titles and len(titles) == len(
        tables.classes(results, 'x').rows[0].cells
    )
    assert [row.split for row in tables.accuracy_rows(report.splits)] == ['Cross-validation']
    text = page.render(report)
    assert 'Cross-validation accuracy' in text and 'val images' not in text
    assert ' on val.' not in text and 'Drift between folds' in text
    assert 'In train' not in markdown.render(report)


def test_a_plain_split_keeps_its_names(plain: build.ReportInputs) -> None:
    report = build.build_content(plain)
    assert [row.split for row in tables.accuracy_rows(report.splits)] == ['Validation', 'Test']
    assert 'In train' in markdown.render(report)
    text = page.render(report)
    assert 'on val.' in text and 'Drift between splits' in text and '<caption>Folds' not in text


def test_neighbours_come_from_all_folds_and_pictures_name_theirs(
    plain: build.ReportInputs, report: ReportContent
) -> None:
    def neighbours(of: ReportContent) -> set[str]:
        return {
            neighbour.picture
            for picture in of.pictures.values()
            for neighbour in picture.neighbours
        }

    assert all(name.startswith('train') for name in neighbours(build.build_content(plain)))
    assert any(name.startswith('val') for name in neighbours(report))
    judged = [of for of in report.pictures.values() if of.answer is not None]
    assert judged and {of.split for of in judged} <= {f'fold {fold}' for fold in range(FOLDS)}


def test_the_section_says_how_the_folds_took_turns() -> None:
    record = made_records.training(validation=made_records.in_folds(20, FOLDS, 0.8, 0.75))
    training = model_card.learning_curves(record)
    table = training_section.folds(training)
    assert [cell.text for cell in table.rows[1].cells] == [
        '1', '75.0\u00a0%', '4', '12', '4', '80.0\u00a0%',
    ]  # fmt: skip
    assert len(table.rows) == FOLDS == len(training.folds)
    text = training_section.how_judged(training)
    assert '3 others' in text and 'all 20 images' in text and 'curves' not in text
    thawed = dataclasses.replace(training, epochs=(EpochScores(1, 0.9, 0.8, 0.5, 1),))
    assert 'val the fold that selected it' in training_section.how_judged(thawed)
    three = dataclasses.replace(training, folds=training.folds[:3], refitted=0)
    assert 'another one' in training_section.how_judged(three)
    assert 'fitted' not in training_section.how_judged(three)
    thawed = dataclasses.replace(record, fine_tune=made_records.fine_tuned(0.7), kept='averaged')
    assert 'means over these models' in training_section.how_judged(
        model_card.learning_curves(thawed)
    )
    without = model_card.learning_curves(made_records.training())
    assert training_section.how_judged(without) == ''
    assert training_section.selected_on(without) == 'val'


def test_curves_of_folds_mark_the_median_of_the_best_epochs(report: ReportContent) -> None:
    record = made_records.training(
        fine_tune=made_records.fine_tuned(0.7, 2, (3, 3)), kept='averaged',
        validation=dataclasses.replace(made_records.in_folds(), refitted=0),
    )  # fmt: skip
    curves = model_card.learning_curves(record)
    thawed = dataclasses.replace(report, training=curves, cards=())
    text = page.render(thawed)
    assert 'median of the folds' in text and 'which was restored' not in text
    assert 'the mean of the weights' in text and 'was then fitted' not in text


def test_groups_are_counted_by_fold(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / 'train.gz')
    with tf.io.TFRecordWriter(path, 'GZIP') as writer:
        for fold, group in ((1, 'x'), (1, 'x'), (2, 'y'), (3, 'x')):
            row = Drawn(f'{fold}{group}', f'{fold}.png', 'a', b'')
            message = tf.train.Example.FromString(report_inputs.example(row, group))
            message.features.feature['fold'].int64_list.value.append(fold)
            writer.write(message.SerializeToString())
    scan = pictures.scan_examples({'train': [path], 'val': []}, ['2y'])
    assert {name: groups for name, groups in scan.groups.items() if groups} == {
        'fold 1': {b'x'}, 'fold 2': {b'y'}, 'fold 3': {b'x'},
    }  # fmt: skip
    assert scan.images['2y'].split == 'fold 2' and scan.count['train'] == 4
    assert _groups(scan.groups).value == '1 of 2 are in more than one fold'
    assert _groups({'fold 1': {b'x'}, 'fold 2': {b'y'}}).value.endswith(
        'none in more than one fold'
    )


def _groups(groups: Mapping[str, set[bytes]]) -> Fact:
    summary = made_records.ingestion({'train': {'a': 16}, 'val': {'a': 4}}, folds=FOLDS)
    inputs = data_card.DataCardInputs(
        summary, [], [], {}, groups, 0, 0, [], 0, Fact('Buckets', 'none')
    )
    return next(fact for fact in data_card.card(inputs).facts if fact.term == 'Groups')


def test_drift_compares_the_first_fold_with_the_others() -> None:
    means = {'train': {'brightness': (0.5, 0.1, 400)}, 'val': {'brightness': (0.6, 0.1, 100)}}
    fact = data_card.drift_fact(means, FOLDS)
    assert fact.term == 'Drift between folds'
    assert fact.value == 'brightness of fold 0 +1.00 standard deviations'
    assert fact.detail.startswith('means compared with the other folds')


def test_suspicious_labels_are_of_all_images() -> None:
    summary = made_records.ingestion({'train': {'a': 64}, 'val': {'a': 16}}, folds=FOLDS)
    evidence = first_screen.LabelEvidence({'train': 3, 'val': 1}, 80, summary)
    fact = first_screen.labels(evidence).facts[0]
    assert fact.value.startswith('4 of 80')
    assert 'train' not in fact.detail and 'val' not in fact.detail


def test_a_change_of_how_the_model_is_judged_is_said(report: ReportContent) -> None:
    folds = report.splits
    split = {'val': dataclasses.replace(folds['val'], folds=0)}
    details = [
        changes_card._accuracy_facts(before, now)[0].detail
        for before, now in ((split, split), (folds, folds), (split, folds), (folds, split))
    ]
    assert details[0] == 'each run on its own val images'
    assert details[1] == 'each run on all of its own images, held out in turn'
    assert details[2].startswith('this run on all of its images')
    assert details[3].startswith('the last run on all of its images')


def test_the_serving_card_calls_images_of_folds_not_val() -> None:
    abstain = AbstainThreshold(0.98, 0.7, 0.8, 0.99, 0.981, 100)
    exported = ExportsRecord(True, 3.0, None, (), abstain, '')
    card = serving_card.card(exported, ServingCheckRecord(True, True, images=16))
    details = {fact.term: fact.detail for fact in card.facts}
    assert details['Serving check'].startswith('16 images through three signatures')
    assert 'answers 80.0 % of the images that judged' in details['Abstains']


def test_what_the_audit_answered_names_no_split_but_test(plain: build.ReportInputs) -> None:
    record = plain.audit.record
    assert 'of the images outside test as labelled' in audited_data.summary(record)
    images = {name: n for name, n in record.images.items() if name != 'test'}
    alone = audited_data.summary(dataclasses.replace(record, images=images))
    assert 'of them as labelled' in alone and 'test' not in alone
