"""The decision from what the probe told, without a process."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest

from thawline.components.export.record import Export, ExportsRecord
from thawline.components.report import serving_card
from thawline.components.saved_model.card import AbstainThreshold
from thawline.components.serving_check import judgement, record
from thawline.components.serving_check.params import ServingCheckSettings
from thawline.components.serving_check.record import ServingCheckRecord
from thawline.components.shared.errors import DataError

LABELS = ('a', 'b')
CHANCES = np.array([[0.9, 0.1], [0.4, 0.6]], np.float32)


def told(change: float = 0.0, labels: tuple[str, ...] = LABELS, **facts) -> list[dict]:
    lines: list[dict] = [{'import_seconds': 3.0}, {'asking': 'loading'}]
    lines.append({'load_seconds': 1.0, 'first_answer_seconds': 0.5, 'foreign': []})
    for signature in judgement.SIGNATURES:
        for i, label in enumerate(labels):
            chances = [float(p) for p in CHANCES[i] + np.array([change, -change])]
            lines.append({'signature': signature, 'image': i, 'label': label,
                          'probabilities': chances})  # fmt: skip
        lines.append({'latency': signature, 'p50': 10.0, 'p95': 20.0})
    lines.append({'memory_mb': 500.0, 'without_model_mb': 300.0})
    lines.append({'asking': 'garbage bytes'})
    lines.append({'request': 'garbage bytes', 'signature': 'serving_bytes', 'came': 'error',
                  'said': 'InvalidArgumentError', 'seconds': 0.01})  # fmt: skip
    return [*lines, {'peak_mb': 900.0, 'ended': True, **facts}]


def judged(
    some: list[dict], check: ServingCheckSettings | None = None, ending: str = ''
) -> ServingCheckRecord:
    return judgement.judge(some, LABELS, CHANCES, check or ServingCheckSettings(), ending, 7.0)


def test_all_well() -> None:
    found = judged(told())
    assert found.passed and found.problems == () and found.checked
    assert found.cold_start == 1.5 and found.memory_mb == 500.0 and found.peak_mb == 900.0
    assert found.latency['serving_bytes'] == record.Latency(10.0, 20.0)
    assert found.largest_change == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize('change', [0.01, float('nan')])
def test_other_probabilities(change: float) -> None:
    found = judged(told(change))
    assert not found.passed and len(found.problems) == 3
    assert '0 of 2 labels' in found.problems[0] and 'allowed: 0.001' in found.problems[0]
    json.dumps(found.largest_change, allow_nan=False)


def test_other_labels() -> None:
    assert '1 of 2 labels' in judged(told(labels=('a', 'a'))).problems[0]


def test_either_label_of_a_tie_will_do() -> None:
    tie = np.array([[0.9, 0.1], [0.5, 0.5]], np.float32)
    some = [
        line | {'probabilities': [0.5, 0.5]} if line.get('image') == 1 else line
        for line in told(labels=('a', 'a'))
    ]
    assert judgement.judge(some, LABELS, tie, ServingCheckSettings(), '', 1.0).passed


def test_other_number_of_classes() -> None:
    some = [
        line | {'probabilities': [0.2, 0.3, 0.5]} if 'image' in line else line for line in told()
    ]
    assert 'by up to 1' in judged(some).problems[0]


@pytest.mark.parametrize(
    ('limit', 'value', 'enough', 'words'),
    [
        ('max_latency_ms', 15.0, 20.0, '20.0 ms for one image (p95)'),
        ('max_memory_mb', 15.0, 500.0, '500.0 MB of memory'),
        ('max_cold_start', '0.25s', '90s', '1.5 s to the first answer'),
    ],
)
def test_limits(limit: str, value: float | str, enough: float | str, words: str) -> None:
    found = judged(told(), ServingCheckSettings.model_validate({limit: value}))
    allowed = '0.25' if value == '0.25s' else '15'
    assert found.problems == (f'{words}; serving.check.{limit} allows {allowed}',)
    assert judged(told(), ServingCheckSettings.model_validate({limit: enough})).passed


def test_what_it_was_doing_when_it_died() -> None:
    some = [*told()[:-2], {'asking': 'huge image'}]
    found = judged(some, ending='the process died of SIGKILL')
    assert found.problems == ('the process died of SIGKILL, at: huge image',)
    assert found.requests[-1].name == 'huge image' and found.requests[-1].came == 'crash'
    assert judged([], ending='').problems == ('the process ended early, at: starting',)


def test_hanging_request_and_needed_libraries() -> None:
    hanging = {'request': 'huge image', 'signature': 'serving_bytes', 'came': 'hang', 'said': '',
               'seconds': 120.0}  # fmt: skip
    found = judged([*told()[:-1], hanging, {'ended': True, 'foreign': ['tfx']}])
    assert found.problems == (
        'huge image through serving_bytes: no answer within 2m',
        'loading it needs tfx beside TensorFlow',
    )


def test_line_that_a_crash_cut_short_is_left_out() -> None:
    assert judgement.lines('{"asking": "a"}\n{"ask') == [{'asking': 'a'}]
    assert judgement.lines('') == []


def test_record_survives_its_file(tmp_path: pathlib.Path) -> None:
    for made in (
        judged(told()),
        judged(told(0.1)),
        ServingCheckRecord(False, False, ('not blessed',)),
    ):
        made.write(tmp_path)
        assert ServingCheckRecord.read(tmp_path) == made
    (tmp_path / ServingCheckRecord.FILE).write_text('{"format": 0}')
    with pytest.raises(DataError, match='not of format 1'):
        ServingCheckRecord.read(tmp_path)


def test_card_of_the_report_says_all_of_it() -> None:
    exports = (
        Export('litert', True, 'the same answers', 'tensorflow 2', 13.4, 5.0),
        Export('litert_int8', False, 'a loss cannot be ruled out', 'tensorflow 2', 3.9, 2.0),
        Export('onnx', False, 'it cannot be made: no such operation'),
    )
    abstain = AbstainThreshold(0.95, 0.81, 0.7, 0.98, 0.951, 395)
    exported = ExportsRecord(True, 14.0, 11.0, exports, abstain, 'on test: 72% answered')
    told_ = serving_card.card(exported, judged(told()))
    facts = {fact.term: fact for fact in told_.facts}
    assert facts['Serving check'].value == 'passed'
    assert facts['Latency of one image'].value == '10.0 ms (95th percentile 20.0 ms)'
    assert facts['Memory'].value == '500 MB' and '300 MB' in facts['Memory'].detail
    assert facts['Cold start'].value == '1.5 s'
    assert facts['Hostile requests'].value == '1 errors and 0 answers to 1'
    assert facts['Export litert'].value == '13.4 MB, 5.0 ms per image'
    assert facts['Export litert_int8'].value == 'refused'
    assert '3.9 MB' in facts['Export litert_int8'].detail
    assert facts['Export onnx'].detail == 'it cannot be made: no such operation'
    assert facts['Abstains'].value == 'below a score of 0.810'
    failed = serving_card.card(exported, judged(told(0.1)))
    assert 'FAILED' in failed.facts[1].value and 'answers otherwise' in failed.facts[1].detail
    unblessed = ServingCheckRecord(False, False, ('the model was not blessed',))
    assert len(serving_card.card(exported, unblessed).facts) == 2
