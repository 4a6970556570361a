"""Notifications: from the nodes of a run to JSON, to words and to the messages of chats."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from tests import made_records
from thawline.components.evaluation.gate import verdict
from thawline.components.evaluation.gate.counts import Counts, HitCount, PairedCount
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.record import Verdict
from thawline.components.serving_check.record import ServingCheckRecord
from thawline.pipeline.metadata.runs import NodeResult, Output
from thawline.pipeline.notifications import body, details, messages
from thawline.pipeline.notifications.body import Details, Notification
from thawline.pipeline.notifications.details import Ending
from thawline.pipeline.terminal.exit_codes import Outcome
from thawline.pipeline.tools import write_docs


def node(name: str, **outputs: Output) -> NodeResult:
    return NodeResult(name, 'complete', outputs, 1.0)


def ingested(folds: int = 0) -> NodeResult:
    splits = {'train': {'a': 70, 'b': 70}, 'val': {'a': 15, 'b': 15}, 'test': {'a': 15, 'b': 15}}
    numbers = made_records.ingestion(splits, 3, folds=folds).to_json()
    return node('ImageExampleGen', quarantine=Output(1, '', {'summary': numbers}))


def evaluated(folder: pathlib.Path, right: int, noted: dict[str, Any] | None = None) -> NodeResult:
    folder.mkdir(exist_ok=True)
    numbers = Counts(
        HitCount(right, 200), HitCount(right, 200), {}, baseline=PairedCount(won=30, lost=10, n=200)
    )
    decision = verdict.judge(numbers, Gate())
    decision.write(folder)
    if noted is None:
        share = right / 200
        noted = {'val_accuracy': share, 'val_lower': share - 0.04, 'val_upper': share + 0.03}
    blessing = Output(3, '', {'blessed': int(decision.blessed)})
    return node('Evaluator', evaluation=Output(2, str(folder), noted), blessing=blessing)


def pushed(version: int | None, already_there: bool = False) -> NodeResult:
    noted = {'pushed': 0}
    if version is not None:
        noted = {'pushed': 1, 'pushed_destination': '/m/7', 'pushed_version': str(version),
                 'already_there': int(already_there)}  # fmt: skip
    return node('Pusher', pushed_model=Output(4, '', noted))


def details_of(
    outcome: Outcome, *results: NodeResult, message: str | None = None, at: str | None = None
) -> Details:
    ending = Ending('r1', outcome, 61.5, results, message, at, pathlib.Path('/x/logs/r1.log'))
    return details.of_ending(ending, 'stones', 0.8)


def test_blessed_run(tmp_path: pathlib.Path) -> None:
    report = node('Report', report=Output(9, '/x/report', {}))
    content = details_of(Outcome.BLESSED, ingested(), evaluated(tmp_path, 190), pushed(7), report)
    assert (content.event, content.exit_code, content.error) == ('blessed', 0, None)
    assert content.verdict is not None and content.verdict.val is not None
    assert content.verdict.blessed and content.verdict.pushed and content.verdict.refused_by is None
    assert content.verdict.val.accuracy == pytest.approx(0.95)
    assert content.verdict.test is None
    assert content.verdict.baseline is not None and 'is better' in content.verdict.baseline
    assert content.model == body.PushedModel(path='/m/7', version='7')
    assert content.data is not None
    assert (
        content.data.splits == {'train': 140, 'val': 30, 'test': 30} and content.data.classes == 2
    )
    assert content.report == '/x/report/report.html' and content.log == '/x/logs/r1.log'
    assert content.text.splitlines() == [
        'stones: BLESSED and pushed as version 7',
        'val accuracy 95.0 % (91.0 to 98.0 %), gate 80.0 %',
        content.verdict.baseline,
        '200 images, 3 quarantined; train 140, val 30, test 30',
        'model /m/7',
        'report /x/report/report.html',
        'run r1',
    ]


def test_images_in_folds_are_counted_together(tmp_path: pathlib.Path) -> None:
    noted = {'val_accuracy': 0.95, 'val_lower': 0.91, 'val_upper': 0.98, 'val_images': 170}
    content = details_of(Outcome.BLESSED, ingested(folds=5), evaluated(tmp_path, 190, noted))
    assert content.data is not None and content.data.folds == 5
    assert sum(content.data.splits.values()) == content.data.images == 200
    assert '200 images, 3 quarantined; 170 in 5 folds, test 30' in content.text.splitlines()
    assert content.verdict is not None and content.verdict.val is not None
    assert content.verdict.val.judged == 170
    assert body.RunAccuracy(accuracy=1, lower=1, upper=1).judged is None  # of older evaluations


def test_blessed_run_whose_model_was_in_staging(tmp_path: pathlib.Path) -> None:
    content = details_of(Outcome.BLESSED, evaluated(tmp_path, 190), pushed(7, already_there=True))
    assert content.event == 'blessed'
    assert content.verdict is not None and content.verdict.pushed
    assert content.model == body.PushedModel(path='/m/7', version='7', already_there=True)
    head = content.text.splitlines()[0]
    assert 'already' in head and 'version 7' in head and 'pushed' not in head


def test_run_that_the_gate_refused(tmp_path: pathlib.Path) -> None:
    content = details_of(Outcome.NOT_BLESSED, evaluated(tmp_path, 140), pushed(None))
    assert content.event == 'refused' and content.exit_code == 3 and content.model is None
    assert content.verdict is not None and content.verdict.refused_by == 'gate'
    assert len(content.verdict.refusals) >= 1 and content.verdict.refusals[0] in content.text
    assert 'NOT BLESSED' in content.text.splitlines()[0]


def test_run_that_the_serving_check_refused(tmp_path: pathlib.Path) -> None:
    served = tmp_path / 'served'
    served.mkdir()
    ServingCheckRecord(True, False, ('other answers',)).write(served)
    check = node('ServingCheck', serving_record=Output(5, str(served), {}))
    content = details_of(Outcome.NOT_BLESSED, evaluated(tmp_path / 'e', 190), check, pushed(None))
    assert content.event == 'refused'
    assert content.verdict is not None and content.verdict.blessed and not content.verdict.pushed
    assert content.verdict.refused_by == 'serving_check'
    assert content.verdict.refusals == ('other answers',)
    assert 'refused by the serving check' in content.text and 'other answers' in content.text


@pytest.mark.parametrize(
    ('outcome', 'event'),
    [
        (Outcome.BLESSED, 'finished'),
        (Outcome.STOPPED_BY_DATA, 'stopped_by_data'),
        (Outcome.BAD_CONFIGURATION, 'bad_configuration'),
        (Outcome.CRASHED, 'failed'),
        (Outcome.INTERRUPTED, 'interrupted'),
    ],
)
def test_other_endings(outcome: Outcome, event: str) -> None:
    message = None if outcome is Outcome.BLESSED else 'the reason'
    content = details_of(outcome, ingested(), message=message, at='DataGate' if message else None)
    assert content.event == event and content.verdict is None and content.model is None
    assert content.exit_code == int(outcome)
    if message:
        assert content.error == body.Failure(message='the reason', node='DataGate')
        assert content.text.splitlines()[0].endswith('in DataGate')
        assert 'the reason' in content.text and 'log /x/logs/r1.log' in content.text
    else:
        assert content.error is None
        assert content.text.startswith('stones: finished')


def test_every_outcome_has_an_event() -> None:
    assert {details_of(outcome).event for outcome in Outcome} == {
        'finished', 'failed', 'bad_configuration', 'refused', 'stopped_by_data', 'interrupted',
    }  # fmt: skip


def test_what_cannot_be_read_costs_only_itself(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    evaluator = evaluated(tmp_path, 190)
    (tmp_path / Verdict.FILE).unlink()
    broken = node('ImageExampleGen', quarantine=Output(1, '', {'summary': '[]'}))
    content = details_of(Outcome.BLESSED, broken, evaluator, pushed(7))
    assert content.event == 'blessed' and content.verdict is None and content.data is None
    assert content.model is not None and 'cannot be read' in caplog.text


def test_numbers_that_json_does_not_have_are_left_out(tmp_path: pathlib.Path) -> None:
    noted = {f'val_{end}': float('nan') for end in ('accuracy', 'lower', 'upper')}
    content = details_of(Outcome.NOT_BLESSED, evaluated(tmp_path, 100, noted), pushed(None))
    assert content.verdict is not None and content.verdict.val is None
    body.encode(content.model_dump())


def test_long_errors_stay_below_what_receivers_take() -> None:
    content = details_of(Outcome.CRASHED, message='x' * 10**6)
    assert len(body.encode(content.model_dump())) < 20_000


@hypothesis.given(st.text(st.characters(), max_size=300), st.sampled_from(list(Outcome)))
def test_any_message_becomes_json_of_the_schema_and_of_every_chat(
    message: str, outcome: Outcome
) -> None:
    content = details_of(outcome, message=message)
    kinds = []
    for form in ('json', 'slack', 'teams', 'discord'):
        sent = body.encode(messages.message(sample(content), form))  # type: ignore[arg-type]
        kinds.append(json.loads(sent.decode('ascii')))
    assert Notification.model_validate(kinds[0]) == sample(content)
    assert list(kinds[1]) == ['text'] and len(kinds[1]['text']) <= 4000
    assert kinds[2]['attachments'][0]['content']['type'] == 'AdaptiveCard'
    assert len(kinds[3]['content']) <= 2000 and kinds[3]['allowed_mentions'] == {'parse': []}


def sample(details: Details) -> Notification:
    return Notification(type='run.x', timestamp='2026-11-21T12:00:00.000Z', data=details)


def test_messages_cannot_call_people_or_forge_links() -> None:
    content = sample(
        details_of(Outcome.CRASHED, message='<!channel> <https://evil.example|ok> & @everyone')
    )
    slack = messages.message(content, 'slack')['text']
    assert '&lt;!channel&gt; &lt;https://evil.example|ok&gt; &amp; @everyone' in slack
    assert '<' not in slack
    assert messages.message(content, 'discord')['allowed_mentions'] == {'parse': []}


@pytest.mark.parametrize('shift', range(6))
def test_long_messages_are_cut_between_characters(shift: int) -> None:
    text = 'y' * shift + '<😀' * 3000
    content = sample(details_of(Outcome.CRASHED).model_copy(update={'text': text}))
    slack = messages.message(content, 'slack')['text']
    assert len(slack) <= 4000 and slack.endswith('…')
    assert slack.removesuffix('…').replace('&lt;', '').replace('😀', '').strip('y') == ''
    content = messages.message(content, 'discord')['content']
    assert len(content.encode('utf-16-le')) <= 4000 and content.endswith('…')


def test_written_schema_is_that_of_the_code() -> None:
    assert write_docs.NOTIFICATION.read_text('utf-8') == body.json_schema()
    schema = json.loads(body.json_schema())
    assert schema['required'] == ['type', 'timestamp', 'data']
    assert set(schema['$defs']['Details']['properties']) == set(Details.model_fields)
