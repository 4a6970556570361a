"""The page and the words of a comparison."""

from __future__ import annotations

import dataclasses

import pytest

from thawline.components.ingestion.quarantine import EMPTY_FILE, Rejected
from thawline.pipeline.drift import page, wording
from thawline.pipeline.drift.record import (
    APPEARANCE,
    ClassShare,
    Compared,
    DifferentImage,
    DriftRecord,
)
from thawline.pipeline.recording.accuracy import ProductionAccuracy

HOSTILE = '<script>alert(1)</script>.jpg'
RECORD = DriftRecord(
    project='x', created='2026-11-30T10:00:00+00:00', source='new', model=12, run='20261130',
    verdict='drift', sentence='', images=40, listed=100, independent=38, least=20, earlier=200,
    compared=(
        Compared(APPEARANCE, 'AUROC', 0.83, 0.75, 0.9, 0.6, 0.004, True),
        Compared('brightness', 'Jensen-Shannon', 0.3, None, None, 0.1, 0.0001, True),
        Compared('contrast', 'Jensen-Shannon', 0.05, None, None, 0.1, 0.01, False),
    ),
    classes=(ClassShare('ants', 0.5, 0.7, 0.05, 0.33), ClassShare('bees', 0.4, 0.3, -0.2, 0.0)),
    outliers_before=0.01, outliers=0.2,
    different=(DifferentImage('ab', HOSTILE, 'ants', 0.9, 0.97, 0.4),),
    missing=(DifferentImage('cd', 'old.jpg', 'bees', None, 0.02, 0.1),),
    rejected=(Rejected('bad.jpg', EMPTY_FILE),),
)  # fmt: skip


def test_the_page_has_pictures_numbers_and_bad_files() -> None:
    record = dataclasses.replace(
        RECORD, sentence=wording.sentence(RECORD), notes=tuple(wording.notes(RECORD))
    )
    html = page.render(record, {'ab': 'data:image/jpeg;base64,AAAA'})
    assert HOSTILE not in html and '&lt;script&gt;alert(1)' in html
    for text in ('data:image/jpeg;base64,AAAA', 'old.jpg', 'deleted', 'bad.jpg', EMPTY_FILE):
        assert text in html
    for text in ('0.83 (0.75 to 0.90)', '0.30', 'Only earlier', 'New and different'):
        assert text in html
    assert DriftRecord.from_json(record.to_json(), 'drift.json') == record


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({}, ['drift', '0.83 (0.75 to 0.90)', 'also brightness']),
        ({'verdict': 'too few', 'independent': 7}, ['too few', ' 7 ', ' 20 ']),
        (
            {'compared': (dataclasses.replace(RECORD.compared[0], drifted=False),
                          RECORD.compared[1])},
            ['drift of brightness'],
        ),
        (
            {'compared': (dataclasses.replace(RECORD.compared[0], drifted=False),),
             'verdict': 'no drift'},
            ['no drift', '0.83'],
        ),
    ],
)  # fmt: skip
def test_the_verdict_in_words(changes: dict, words: list[str]) -> None:
    sentence = wording.sentence(dataclasses.replace(RECORD, **changes))
    assert [word for word in words if word not in sentence] == []


def test_an_accuracy_in_production() -> None:
    accuracy = ProductionAccuracy(0.7, 0.5, 0.85, 40, 2, 3, asked=0.9, val_lower=0.91)
    record = dataclasses.replace(RECORD, accuracy=accuracy)
    assert accuracy.falls_short
    assert not dataclasses.replace(accuracy, asked=0.8).falls_short
    assert not dataclasses.replace(accuracy, asked=None).falls_short
    words = wording.accuracy_sentence(accuracy)
    for number in ('70.0 %', '50.0 to 85.0 %', '91.0 %', '90.0 %', ' 40 '):
        assert number in words
    notes = ' '.join(wording.notes(record))
    assert 'without a label: 3' in notes
    for verdict, alone in (('drift', False), ('no drift', True), ('too few', None)):
        calm = dataclasses.replace(record, verdict=verdict, accuracy=None)
        assert calm.holds is alone and 'gate' not in wording.sentence(calm)
        short = dataclasses.replace(record, verdict=verdict)
        assert short.holds is False and 'below what the gate' in wording.sentence(short)
    assert 'Accuracy in production' in page.render(record, {})
    assert DriftRecord.from_json(record.to_json(), 'drift.json').accuracy == accuracy


def test_what_the_verdict_cannot_tell_is_said() -> None:
    drawn, copies, slight = wording.notes(RECORD)
    assert '40 of 100' in drawn and '38 images' in copies and 'contrast' in slight
    assert list(wording.largest_changes(RECORD, 1)) == ['ants 50.0 % to 70.0 %']
