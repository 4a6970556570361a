"""What training and the gate say of a run, and why a model was refused."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest

from tests import golden, made_records
from thawline.components.evaluation.gate import verdict
from thawline.components.evaluation.gate.counts import Counts, HitCount
from thawline.components.evaluation.gate.params import Gate
from thawline.components.export.record import Export, ExportsRecord
from thawline.components.serving_check.record import Latency, ServingCheckRecord
from thawline.components.training.record import Affinity, AugmentationRecord, Scores
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import node_records
from thawline.pipeline.metadata.runs import NodeResult, Output
from thawline.pipeline.terminal import endings, exit_codes, node_lines
from thawline.pipeline.terminal.run_display import RunDisplay


def evaluator(folder: pathlib.Path, numbers: Counts, gate: Gate) -> NodeResult:
    judged = verdict.judge(numbers, gate)
    judged.write(folder)
    outputs = {
        'evaluation': Output(1, str(folder), {}),
        'blessing': Output(2, '', {'blessed': int(judged.blessed)}),
    }
    return NodeResult('Evaluator', 'complete', outputs, 1.0)


def pusher(properties: Mapping[str, Any]) -> NodeResult:
    return NodeResult('Pusher', 'complete', {'pushed_model': Output(3, '', properties)}, 1.0)


def project(home: pathlib.Path) -> Project:
    return Project.of(loading.parse('name: x\ndata: {source: images}\n', 'thawline.yaml'), home)


def line(node: NodeResult, home: pathlib.Path) -> str:
    return node_lines.line(node, project(home))


def ending(home: pathlib.Path, *results: NodeResult) -> tuple[exit_codes.Outcome, str]:
    """How a run ends, and what it says then."""
    file = io.StringIO()
    return RunDisplay(file, project(home)).show_summary(results), file.getvalue()


REDUCED = AugmentationRecord('flips', {'standard': Affinity(0.5, 1.0, 0.1, 0.3)})


def trained(folder: pathlib.Path, **more: Any) -> str:
    values = {
        'fine_tune': made_records.fine_tuned(0.9062, 2, (3, 3, 3)),
        'val': Scores(0.9, 0.4, 40),
        'kept': 'interpolated',
    }
    made_records.training(0.891, **(values | more)).write(folder)
    outputs = {'model_run': Output(1, str(folder), {})}
    return line(NodeResult('Trainer', 'complete', outputs, 1.0), folder)


def test_accuracies_are_in_percent_with_a_plain_space(tmp_path: pathlib.Path) -> None:
    text = trained(tmp_path)
    assert '89.1 %' in text and '90.6 % (epoch 2 of 3)' in text and 'interpolated, 90.0 %' in text
    assert 'augmentation' not in text
    reduced = trained(tmp_path, augmentation=REDUCED)
    assert 'augmentation reduced to flips' in reduced
    numbers = {'val_accuracy': 0.906, 'val_lower': 0.874, 'val_upper': 0.931}
    outputs = {'evaluation': Output(1, '', numbers), 'blessing': Output(2, '', {'blessed': 1})}
    assert line(NodeResult('Evaluator', 'complete', outputs, 1.0), tmp_path) == (
        'val accuracy 90.6 % (87.4 to 93.1 %), gate 80.0 %: BLESSED'
    )


@pytest.mark.golden
def test_wording(tmp_path: pathlib.Path) -> None:
    def ended(node: str, key: str, **properties: Any) -> str:
        outputs = {key: Output(7, '/artifacts/7', properties)}
        return line(NodeResult(node, 'complete', outputs, 1.0), tmp_path)

    def without(node: str) -> str:
        return line(NodeResult(node, 'complete', {}, 1.0), tmp_path)

    images = made_records.ingestion({'train': {'a': 800, 'b': 404}}, 3).to_json()
    parts = {'train': {'a': 800}, 'val': {'a': 200}, 'test': {'a': 70}}
    folds = made_records.ingestion(parts, folds=5).to_json()
    lines = {
        'ImageExampleGen': [
            ended('ImageExampleGen', 'quarantine', summary=images),
            ended('ImageExampleGen', 'quarantine', summary=folds),
        ],
        'StatisticsGen': [ended('StatisticsGen', 'statistics', split_names='["train", "val"]')],
        'SchemaGen': [without('SchemaGen')],
        'ImportSchemaGen': [without('ImportSchemaGen')],
        'ExampleValidator': [without('ExampleValidator')],
        'Transform': [
            without('Transform'),
            ended('Transform', 'transformed_examples', from_store=9_960),
            ended('Transform', 'transformed_examples', from_store=0, store_problem='disk full'),
        ],
        'Embedder': [
            ended('Embedder', 'embeddings', count=1000, views=views, dimension=1280, seconds=9.5)
            for views in (0, 1, 2)
        ],
        'Trainer': [
            trained(tmp_path),
            trained(tmp_path, augmentation=REDUCED),
            trained(tmp_path, left_out=('fine-tuning', 'test-time augmentation')),
            trained(tmp_path, validation=made_records.in_folds()),
        ],
        'Tuned': [without('Tuned'), ended('Tuned', 'hyperparameters')],
        'Baseline': [without('Baseline'), ended('Baseline', 'model')],
        'Pusher': [
            ended('Pusher', 'pushed_model', pushed=0),
            ended('Pusher', 'pushed_model', pushed=1, pushed_version='3'),
            ended('Pusher', 'pushed_model', pushed=1, pushed_version='3', already_there=1),
        ],
        'UnlabelledExampleGen': [ended('UnlabelledExampleGen', 'quarantine', summary=images)],
        'BulkInferrer': [ended('BulkInferrer', 'inference_result')],
        'LastReport': [without('LastReport'), ended('LastReport', 'report')],
        'Report': [ended('Report', 'report')],
    }
    text = ''.join(f'{node:<21} {text}\n' for node, texts in lines.items() for text in texts)
    golden.check('node_lines.txt', text.replace(str(tmp_path), '<project>'))


def test_every_failing_rule_is_told_with_what_would_change_it(tmp_path: pathlib.Path) -> None:
    # Square brackets are markup to rich, which must not swallow them.
    classes = {'[bold]cat': HitCount(1, 100), 'dog': HitCount(99, 100)}
    node = evaluator(
        tmp_path,
        Counts(HitCount(100, 200), HitCount(90, 200), classes),
        Gate(worst_class_recall=0.5, class_floor=None),
    )
    lines = node_records.refusal_lines(node)
    assert len(lines) == 2
    assert '42.9 %' in lines[0] and '80.0 %' in lines[0]
    assert lines[0].endswith('more images at this accuracy would not help.')
    assert lines[1].endswith('50 correct instead of 1.')

    outcome, output = ending(tmp_path, node, pusher({'pushed': 0}))
    assert outcome is exit_codes.Outcome.NOT_BLESSED
    assert output.startswith('NOT BLESSED, nothing was pushed\n')
    for line in lines:
        assert line in output
    assert "'[bold]cat'" in output
    assert node_lines.is_refusal(node) and node_lines.is_refusal(pusher({'pushed': 0}))


def test_a_refusal_names_the_command_for_the_images_that_would_decide(
    tmp_path: pathlib.Path,
) -> None:
    count = HitCount(170, 200)
    _, output = ending(
        tmp_path, evaluator(tmp_path, Counts(count, count, {}), Gate()), pusher({'pushed': 0})
    )
    said = ' '.join(output.split())
    assert 'it needs about 54 more val images' in said
    assert 'thawline labels export --to csv --for unlabelled --count 54' in said
    classes = {'cat': HitCount(98, 100), 'dog': HitCount(0, 20)}
    doubtful = Counts(HitCount(190, 200), HitCount(190, 200), classes)
    _, output = ending(tmp_path, evaluator(tmp_path, doubtful, Gate()), pusher({'pushed': 0}))
    assert 'thawline labels export --to csv --for all' in ' '.join(output.split())
    hopeless = Counts(HitCount(100, 200), count, {})
    _, output = ending(tmp_path, evaluator(tmp_path, hopeless, Gate()), pusher({'pushed': 0}))
    assert 'labels export' not in output


def test_blessed_model_has_no_refusal(tmp_path: pathlib.Path) -> None:
    node = evaluator(tmp_path, Counts(HitCount(190, 200), HitCount(190, 200), {}), Gate())
    assert node_records.refusal_lines(node) == []
    assert 'BLESSED and pushed as version 1' in pushed_ending(tmp_path, node)
    assert not node_lines.is_refusal(node) and not node_lines.is_refusal(pusher({'pushed': 1}))


def test_what_the_gate_cannot_tell_is_said_after_either_ending(tmp_path: pathlib.Path) -> None:
    classes = {'cat': HitCount(98, 100), 'dog': HitCount(0, 2)}
    for hits in (190, 10):
        count = HitCount(hits, 200)
        node = evaluator(tmp_path, Counts(count, count, classes), Gate())
        if hits == 190:
            output = pushed_ending(tmp_path, node)
        else:
            output = ending(tmp_path, node, pusher({'pushed': 0}))[1]
        assert "caution Too few val images to judge 'dog' (2)" in output


def test_every_ending_has_a_next_step(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = NodeResult('Report', 'complete', {'report': Output(9, '', {})}, 1.0)
    monkeypatch.chdir(tmp_path)
    blessed = pushed_ending(tmp_path, report)
    assert 'thawline review last ' in blessed and 'thawline promote last ' in blessed
    monkeypatch.chdir(tmp_path.parent)
    refusing = evaluator(tmp_path, Counts(HitCount(1, 200), HitCount(1, 200), {}), Gate())
    _, refused = ending(tmp_path, refusing, report, pusher({'pushed': 0}))
    assert f'thawline review last {tmp_path.name} ' in refused and 'promote' not in refused
    for results in ([refusing, pusher({'pushed': 0})], [refusing]):
        assert '  next    thawline run ' in ending(tmp_path, *results)[1]


@pytest.mark.parametrize('outcome', exit_codes.Outcome)
def test_every_run_that_failed_or_stopped_has_a_next_step(outcome: exit_codes.Outcome) -> None:
    steps = endings.steps_after_error(outcome, 'tune')
    no_failure = ('BLESSED', 'NOT_BLESSED', 'DRIFT', 'TOO_FEW_IMAGES')
    expected = {name: [] for name in no_failure} | {'CRASHED': ['doctor', 'tune']}
    assert [command for command, _ in steps] == expected.get(outcome.name, ['tune'])


def test_data_that_may_differ_from_the_schema_are_reviewed_first() -> None:
    steps = endings.steps_after_error(exit_codes.Outcome.STOPPED_BY_DATA, 'run', differs=True)
    assert [command for command, _ in steps] == ['schema review', 'run']


def pushed_ending(folder: pathlib.Path, *others: NodeResult, **properties: int) -> str:
    """What a run ends with that pushed version 1 into a folder."""
    place = folder / 'staging' / '1'
    place.mkdir(parents=True, exist_ok=True)
    (place / 'saved_model.pb').touch()
    noted = {'pushed': 1, 'pushed_destination': str(place), 'pushed_version': '1'} | properties
    outcome, output = ending(folder, *others, pusher(noted))
    assert outcome is exit_codes.Outcome.BLESSED
    assert str(place) in output
    return output


def test_ending_says_what_servers_load(tmp_path: pathlib.Path) -> None:
    assert 'servers load' not in pushed_ending(tmp_path)
    there = pushed_ending(tmp_path, already_there=1)
    assert 'already' in there and 'version 1' in there and 'pushed' not in there
    newer = tmp_path / 'staging' / '7'
    newer.mkdir()
    assert 'servers load' not in pushed_ending(tmp_path), 'it is not complete'
    (newer / 'saved_model.pb').touch()
    assert 'servers load version 7' in pushed_ending(tmp_path)


def test_push_alone_tells_how_it_ended(tmp_path: pathlib.Path) -> None:
    """With `--from Exporter` the verdict is of an earlier run."""
    assert 'pushed as version 1' in pushed_ending(tmp_path)
    outcome, output = ending(tmp_path, pusher({'pushed': 0}))
    assert outcome is exit_codes.Outcome.NOT_BLESSED
    assert 'NOT PUSHED' in output


def served_line(node: str, key: str, folder: pathlib.Path, serving: str = '{}') -> str:
    text = f'name: x\ndata: {{source: images}}\nserving: {serving}\n'
    parsed = loading.parse(text, 'thawline.yaml')
    result = NodeResult(node, 'complete', {key: Output(1, str(folder), {})}, 1.0)
    return node_lines.line(result, Project.of(parsed, folder))


def test_exports_that_were_refused_are_told_with_the_reason(tmp_path: pathlib.Path) -> None:
    some = (
        Export('litert', True, 'the same answers', megabytes=13.4),
        Export('litert_int8', False, 'a loss cannot be ruled out', megabytes=3.9),
    )
    refused = ExportsRecord(True, 14.02, 9.0, some, None, 'no score assures 0.99')
    refused.write(tmp_path)
    assert served_line('Exporter', 'exports', tmp_path) == (
        'SavedModel 14.0 MB; litert 13.4 MB; litert_int8 REFUSED: a loss cannot be ruled out; '
        'no abstention: no score assures 0.99'
    )
    ExportsRecord(False, 14.02, None, (), None, '').write(tmp_path)
    assert served_line('Exporter', 'exports', tmp_path) == 'SavedModel 14.0 MB'
    text = served_line('Exporter', 'exports', tmp_path, '{exports: [litert]}')
    assert text.endswith('the model is not blessed')


def test_model_that_the_serving_check_refuses_is_not_called_unblessed(
    tmp_path: pathlib.Path,
) -> None:
    latency = {'serving_bytes': Latency(11.6, 14.2)}
    good = ServingCheckRecord(
        True, True, latency=latency, memory_mb=612.0, load_seconds=2.0, first_answer_seconds=1.25
    )
    good.write(tmp_path)
    assert served_line('ServingCheck', 'serving_record', tmp_path) == (
        'predicts as evaluated, 12 ms per image (p95 14), 612 MB, cold start 3.2 s'
    )
    bad = ServingCheckRecord(True, False, ('it died [bold]at: huge image',))
    bad.write(tmp_path)
    assert 'REFUSED: it died' in served_line('ServingCheck', 'serving_record', tmp_path)
    judged = evaluator(tmp_path, Counts(HitCount(199, 200), HitCount(99, 100), {}), Gate())
    checked = NodeResult(
        'ServingCheck', 'complete', {'serving_record': Output(4, str(tmp_path), {})}, 1.0
    )
    outcome, output = ending(tmp_path, judged, checked, pusher({'pushed': 0}))
    assert outcome is exit_codes.Outcome.NOT_BLESSED
    assert 'BLESSED, but refused by the serving check: nothing was pushed' in output
    assert 'it died [bold]at: huge image' in output and 'NOT BLESSED' not in output
