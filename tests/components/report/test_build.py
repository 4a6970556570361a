"""The whole report of a tiny exported model: numbers, pictures, and what may go wrong."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn import metrics

from tests.components.report import report_inputs
from tests.components.transformed import CLASSES, Transformed
from thawline.components.evaluation.predictions import NOT_ASKED
from thawline.components.report import build, content, picture_choice, tables
from thawline.components.report.content import ReportContent


@pytest.fixture(scope='module', params=[2, len(CLASSES)])
def given(
    request: pytest.FixtureRequest,
    transformed: Transformed,
    tmp_path_factory: pytest.TempPathFactory,
) -> build.ReportInputs:
    folder = tmp_path_factory.mktemp('given')
    return report_inputs.given(transformed, folder, CLASSES[: request.param])


@pytest.fixture(scope='module')
def told(given: build.ReportInputs) -> ReportContent:
    return build.build_content(given)


def test_numbers_are_scikit_learns_on_the_models_own_predictions(
    given: build.ReportInputs, told: ReportContent
) -> None:
    every = given.predictions
    assert told.classes == every.classes
    for split, part in told.splits.items():
        mine = every.splits == split
        labels, answers = every.labels[mine], every.answers[mine]
        assert part.accuracy.share == metrics.accuracy_score(labels, answers)
        assert part.accuracy.n == mine.sum() and part.unseen is None
        assert part.metrics['balanced_accuracy'] == pytest.approx(
            metrics.recall_score(
                labels, answers, labels=np.unique(labels), average='macro', zero_division=0
            )
        )
        assert part.metrics['log_loss'] == pytest.approx(
            metrics.log_loss(labels, every.probabilities[mine], labels=range(len(every.classes)))
        )
        matrix = metrics.confusion_matrix(labels, answers, labels=range(len(every.classes)))
        assert {(c.label, c.answer): c.count for c in part.confusion} == {
            (i, j): matrix[i, j] for i, j in zip(*np.nonzero(matrix), strict=True)
        }
        assert [row.name for row in part.classes] == list(every.classes)
        assert sum(each.accuracy.n for each in part.calibration) == mine.sum()


@pytest.mark.parametrize('asked', [3, None])
def test_the_baseline_is_shown_on_the_images_that_it_was_asked_about(
    asked: int | None, given: build.ReportInputs
) -> None:
    every = given.predictions
    test = np.flatnonzero(every.splits == 'test')[:asked]
    baseline = np.full(len(every), NOT_ASKED)
    baseline[test] = 0
    with_baseline = dataclasses.replace(every, baseline_answers=baseline)
    report = build.build_content(dataclasses.replace(given, predictions=with_baseline))
    assert report.splits['val'].unseen is None
    part = report.splits['test']
    assert part.unseen is not None
    assert (part.unseen.baseline.share, part.unseen.baseline.n) == (
        metrics.accuracy_score(every.labels[test], np.zeros(len(test))), len(test),
    )  # fmt: skip
    assert (part.unseen.model.share, part.unseen.model.n) == (
        metrics.accuracy_score(every.labels[test], every.answers[test]), len(test),
    )  # fmt: skip
    shown = [(row.who, row.interval) for row in tables.accuracy_rows({'test': part})]
    beside = [('model', part.unseen.model)] if asked else []
    assert shown == [('model', part.accuracy), *beside, ('baseline', part.unseen.baseline)]


def test_summary_of_an_older_version_is_read_without_its_baseline(told: ReportContent) -> None:
    values = json.loads(content.summary_to_json(told))
    for part in values['parts'].values():
        del part['unseen']
        part['baseline'] = part['accuracy']
    assert content.from_json(json.dumps(values)).splits['test'].unseen is None


def test_every_picture_that_is_named_is_there_and_of_its_cell(told: ReportContent) -> None:
    for split, part in told.splits.items():
        for cell in part.confusion:
            assert 0 < len(cell.pictures) <= cell.count
            for name in cell.pictures:
                picture = told.pictures[name]
                assert (picture.split, picture.label, picture.answer) == (
                    split,
                    told.classes[cell.label],
                    told.classes[cell.answer],
                )
    for gallery in told.galleries:
        assert set(gallery.pictures) <= set(told.pictures)
    mistakes, uncertain, *_ = told.galleries
    for name in mistakes.pictures:
        assert told.pictures[name].label != told.pictures[name].answer
    for name in uncertain.pictures:
        assert told.pictures[name].label == told.pictures[name].answer
    for picture in told.pictures.values():
        assert picture.thumbnail.startswith('data:image/jpeg;base64,')
        # Evaluated ones are explained, training images are there as neighbours.
        assert bool(picture.overlay) == (picture.answer is not None)
        for other in picture.neighbours:
            assert told.pictures[other.picture].split == 'train'
            assert -1.01 <= other.similarity <= 1.01
    shown = [told.pictures[name] for name in mistakes.pictures]
    assert any(picture.neighbours for picture in shown)
    assert len(told.pictures) <= picture_choice.MOST


def test_hostile_names_stay_as_they_are(told: ReportContent) -> None:
    assert report_inputs.HOSTILE_PATH in {picture.path for picture in told.pictures.values()}
    assert json.loads(content.to_json(told))['classes'] == list(told.classes)


def test_slices_leave_out_columns_of_many_values_and_say_so(told: ReportContent) -> None:
    assert {s.column for part in told.splits.values() for s in part.slices} == {'size_bucket'}
    data = next(card for card in told.cards if card.name == 'data')
    facts = {fact.term: fact for fact in data.facts}
    assert 'meta_serial' in facts['Remarks'].detail
    assert facts['Quarantined'].detail == 'truncated 2'
    assert facts['Differences from the schema'].detail == 'a strange value'
    assert facts['Drift between splits'].value.startswith('brightness of val +1.00')
    assert 'none in more than one split' in facts['Groups'].value


def test_what_changed_is_told_from_the_summary_of_the_report_before(
    given: build.ReportInputs, told: ReportContent
) -> None:
    previous = content.from_json(content.summary_to_json(told))
    config = {**report_inputs.CONFIG, 'gate': {'val_accuracy': 0.9}}
    later = dataclasses.replace(
        given, previous=previous, model=dataclasses.replace(given.model, config=config)
    )
    changes = next(c for c in build.build_content(later).cards if c.name == 'changes')
    facts = {fact.term: fact for fact in changes.facts}
    assert facts['Last run'].value == told.run
    assert facts['Configuration'].detail == 'gate.val_accuracy: 0.8 → 0.9'
    assert f'thawline compare {told.run}' in facts['val accuracy'].detail
    assert not {'Images', 'Base', 'Environment', 'New classes'} & set(facts)


def test_images_without_numbers_are_wrong_unexplained_and_counted(
    given: build.ReportInputs,
) -> None:
    every = given.predictions
    probabilities = every.probabilities.copy()
    right = np.flatnonzero((every.splits == 'val') & (every.labels == every.answers))
    probabilities[right[0], 0], probabilities[right[1], 1] = np.nan, np.inf
    broken = dataclasses.replace(every, probabilities=probabilities)
    told = build.build_content(dataclasses.replace(given, predictions=broken))
    part, n = told.splits['val'], (every.splits == 'val').sum()
    assert part.accuracy.share == (len(right) - 2) / n and part.accuracy.n == n
    assert sum(cell.count for cell in part.confusion) == n - 2
    assert sum(one.accuracy.n for one in part.calibration) == n - 2
    facts = {fact.term: fact.value for card in told.cards for fact in card.facts}
    assert facts['No answer'] == f'2 of {len(every)} images'
    for picture in (told.pictures.get(name) for name in every.ids[right[:2]]):
        assert picture is None or (picture.answer, picture.score, picture.overlay) == (
            None,
            None,
            '',
        )
    content.to_json(told)


def test_heat_that_is_no_number_is_not_laid_over_the_picture(given: build.ReportInputs) -> None:
    def explain(encoded: Sequence[bytes], classes: Sequence[int]) -> np.ndarray:
        heat = np.array(given.explain(encoded, classes))
        heat[0, 0, 0] = np.nan
        return heat

    told = build.build_content(dataclasses.replace(given, explain=explain))
    evaluated = [picture for picture in told.pictures.values() if picture.answer is not None]
    assert sum(not picture.overlay for picture in evaluated) == 1
    assert all(picture.thumbnail for picture in evaluated)


def test_images_that_are_gone_leave_a_gap_and_a_remark(
    given: build.ReportInputs, tmp_path: pathlib.Path
) -> None:
    files = {split: [str(tmp_path / 'gone')] for split in given.data.files}
    data = dataclasses.replace(given.data, files=files)
    found = build.build_content(dataclasses.replace(given, data=data))
    assert found.pictures and not any(p.thumbnail or p.overlay for p in found.pictures.values())
    for picture in found.pictures.values():
        assert picture.answer is None or (picture.path and picture.label)
    facts = {f.term: f for card in found.cards for f in card.facts}
    assert f'{len(found.pictures)} pictures are not shown' in facts['Remarks'].detail


def test_unlabelled_images_are_in_no_number_and_strangers_are_wrong(
    given: build.ReportInputs,
) -> None:
    every = given.predictions
    labels, labelled = every.labels.copy(), every.labelled.copy()
    val = np.flatnonzero(every.splits == 'val')
    labels[val[:2]] = -1
    labelled[val[0]] = False
    changed = dataclasses.replace(every, labels=labels, labelled=labelled)
    part = build.build_content(dataclasses.replace(given, predictions=changed)).splits['val']
    assert part.accuracy.n == len(val) - 1
    assert sum(cell.count for cell in part.confusion) == len(val) - 2
    hits = (labels[val] == every.answers[val]).sum()
    assert part.accuracy.share == hits / (len(val) - 1)


def test_all_answers_one_class_and_a_split_without_images(given: build.ReportInputs) -> None:
    every = given.predictions
    probabilities = np.zeros_like(every.probabilities)
    probabilities[:, 0] = 1
    same = dataclasses.replace(
        every,
        answers=np.zeros_like(every.answers),
        scores=np.ones_like(every.scores),
        probabilities=probabilities,
        splits=np.full(len(every.splits), 'val'),
    )
    found = build.build_content(dataclasses.replace(given, predictions=same))
    assert set(found.splits) == {'val'}
    rows = found.splits['val'].classes
    assert [row.precision is None for row in rows] == [False] + [True] * (len(rows) - 1)
    assert rows[0].recall.share == 1.0
    content.to_json(found)
