"""The check in real processes: a good model, and models that no server should load."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf
from tfx.components.pusher.executor import Executor as Pusher
from tfx.types import standard_artifacts

from tests.components.evaluation import evaluating
from tests.components.export import exporting
from tests.components.export.exporting import Exported, Judged
from tests.components.serving_check import odd_models
from tests.components.transformed import Transformed, rows
from thawline.components.evaluation import predictions
from thawline.components.serving_check import executor, probe_process
from thawline.components.serving_check.params import ServingCheckSettings
from thawline.components.serving_check.record import ServingCheckRecord
from thawline.components.shared import judged_files, model_fingerprint, split_files
from thawline.components.shared.artifacts import Exports, ServingRecord
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.model_fingerprint import Fingerprint, LocalFiles

QUICK = ServingCheckSettings(images=2, huge_pixels=250_000)


@pytest.fixture(scope='module')
def judged(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return exporting.judged(tmp_path_factory.mktemp('judged'), transformed)


@pytest.fixture(scope='module')
def exported(judged: Judged, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return exporting.export(tmp_path_factory.mktemp('exported'), judged)


def check(
    folder: pathlib.Path, given: Judged, exported: Exported, limits: ServingCheckSettings = QUICK
):
    """Runs the executor as TFX does: what was found, and the blessing."""
    outputs = {
        'infra_blessing': [exporting.artifact(standard_artifacts.InfraBlessing, folder / 'b', 30)],
        'serving_record': [exporting.artifact(ServingRecord, folder / 'record', 31)],
    }
    inputs = {
        'model': [exported.artifact],
        'exports': [exported.exports],
        'examples': [given.examples],
        'evaluation': [given.evaluation],
        'blessing': [given.blessing],
    }
    properties = {'check': limits.model_dump_json(), 'code_digest': ''}
    executor.Executor().Do(inputs, outputs, properties)
    return ServingCheckRecord.read(folder / 'record'), outputs['infra_blessing'][0]


def pushes(given: Judged, blessing) -> bool:
    """What TFX's Pusher makes of the two blessings."""
    return Pusher().CheckBlessing(
        {'model_blessing': [given.blessing], 'infra_blessing': [blessing]}
    )


def test_good_model_passes(judged: Judged, exported: Exported, tmp_path: pathlib.Path) -> None:
    found, blessing = check(tmp_path, judged, exported)
    assert found.problems == () and found.passed and found.checked
    assert pushes(judged, blessing)
    assert pathlib.Path(blessing.uri, 'INFRA_BLESSED').is_file()
    assert found.images == 2
    assert found.largest_change is not None and found.largest_change < 1e-5
    assert set(found.latency) == {'serving_default', 'serving_bytes', 'serving_pixels'}
    for one in found.latency.values():
        assert 0 < one.p50 <= one.p95
    assert found.memory_mb > found.without_model_mb > 10 and found.peak_mb >= found.memory_mb
    assert found.cold_start > 0 and found.import_seconds > 0
    came = {one.name: one.came for one in found.requests}
    answered = {name for name, what in came.items() if what == 'answer'}
    wanted = {'batch of 0', 'batch of 256', 'huge image', 'one pixel', 'batch of 0 examples'}
    assert wanted | {'batch of 0 pixels'} <= answered
    for name in ('garbage bytes', 'empty bytes', 'decompression bomb', 'one bad image of two'):
        assert came[name] == 'error', name
    assert 'hang' not in came.values() and 'crash' not in came.values()
    present = model_fingerprint.fingerprint(LocalFiles(exported.model))
    assert {'saved_model.pb', 'assets.extra/thawline.json'} < present.files.keys()
    assert Fingerprint.read(tmp_path / 'record') == present


def test_model_that_changed_since_its_export_is_not_judged(
    judged: Judged, exported: Exported, tmp_path: pathlib.Path
) -> None:
    model = tmp_path / 'exported'
    shutil.copytree(exported.artifact.uri, model)
    (model / 'Format-Serving' / 'assets.extra' / 'thawline.json').write_text('{}')
    changed = dataclasses.replace(
        exported, artifact=exporting.artifact(standard_artifacts.Model, model, 20)
    )
    with pytest.raises(ConfigError, match='changed: assets.extra/thawline.json; .*--from Exporter'):
        check(tmp_path, judged, changed)


def test_other_answers_than_were_evaluated_are_refused(
    judged: Judged, transformed: Transformed, exported: Exported, tmp_path: pathlib.Path
) -> None:
    other = evaluating.exported(tmp_path / 'other', transformed, tuple('abcde'), seed=3, kernel=9.0)
    exports = exporting.artifact(Exports, tmp_path / 'exports', 41)
    judged_files.record(other / 'Format-Serving', exports)
    swapped = Exported(exporting.artifact(standard_artifacts.Model, other, 40), exports)
    limits = QUICK.model_copy(update={'max_latency_ms': 1e-6, 'max_memory_mb': 1.0})
    found, blessing = check(tmp_path, judged, swapped, limits)
    assert not found.passed and not pushes(judged, blessing)
    for signature in ('serving_default', 'serving_bytes', 'serving_pixels'):
        assert any(
            p.startswith(f'{signature} answers otherwise') and '2 of 2 labels' in p
            for p in found.problems
        )
    assert any('serving.check.max_latency_ms allows 1e-06' in p for p in found.problems)
    assert any('serving.check.max_memory_mb' in p for p in found.problems)


def test_unblessed_model_is_not_asked(
    judged: Judged, exported: Exported, tmp_path: pathlib.Path
) -> None:
    refused = exporting.artifact(type(judged.blessing), tmp_path / 'blessing', 9)
    refused.set_int_custom_property('blessed', 0)
    found, blessing = check(tmp_path, dataclasses.replace(judged, blessing=refused), exported)
    assert not found.checked and found.requests == () and found.problems
    assert not pushes(judged, blessing)
    assert pathlib.Path(blessing.uri, 'INFRA_NOT_BLESSED').is_file()
    present = model_fingerprint.fingerprint(LocalFiles(exported.model))
    assert Fingerprint.read(tmp_path / 'record') == present, 'it may be forced into production'


def constant_answers() -> probe_process.Replay:
    some = [evaluating.example(row, 'val') for row in rows(1)[:2]]
    return probe_process.Replay(
        tuple(some), ('yes', 'yes'), np.array([[0.75, 0.25]] * 2, np.float32)
    )


def test_model_that_kills_its_process_is_refused_by_name_of_the_request(
    tmp_path: pathlib.Path,
) -> None:
    model = odd_models.save(tmp_path / 'model', odd_models.crash)
    found = probe_process.check(model, constant_answers(), QUICK)
    assert not found.passed
    assert found.problems == ('the process died of SIGABRT, at: empty bytes',)
    came = {one.name: one.came for one in found.requests}
    assert came == {'garbage bytes': 'answer', 'empty bytes': 'crash'}
    assert found.largest_change == 0.0


def test_model_that_hangs_is_refused_and_the_others_are_still_asked(
    tmp_path: pathlib.Path,
) -> None:
    model = odd_models.save(tmp_path / 'model', odd_models.hang)
    limits = QUICK.model_copy(update={'timeout': '8s'})
    found = probe_process.check(model, constant_answers(), limits)
    assert found.problems == ('empty bytes through serving_bytes: no answer within 8s',)
    came = {one.name: one.came for one in found.requests}
    assert came['empty bytes'] == 'hang' and came['batch of 256'] == 'answer'


def test_model_that_cannot_be_loaded_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'model').mkdir()
    (tmp_path / 'model' / 'saved_model.pb').write_bytes(b'no model')
    found = probe_process.check(tmp_path / 'model', constant_answers(), QUICK)
    (problem,) = found.problems
    assert 'the process ended with code 1' in problem and problem.endswith('at: loading')


_SLEEPS = """
import json, sys, time
asked = json.load(open(sys.argv[1]))
with open(asked['answers'], 'w') as file:
    file.write(json.dumps({'asking': 'something slow'}) + '\\n')
    file.flush()
    time.sleep(600)
"""


def test_process_that_cannot_even_be_cancelled_is_ended(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operation that looks at no time limit, such as a decoder in a loop."""
    program = tmp_path / 'sleeps.py'
    program.write_text(_SLEEPS)
    monkeypatch.setattr(probe_process, 'PROGRAM', program)
    limits = QUICK.model_copy(update={'timeout': '0.5s'})
    found = probe_process.check(tmp_path, constant_answers(), limits)
    assert found.problems[0] == 'nothing came within 0.5 s, at: something slow'
    assert [(one.name, one.came) for one in found.requests] == [('something slow', 'hang')]
    assert found.seconds < 60


def test_replay_takes_what_was_evaluated(judged: Judged) -> None:
    table = predictions.read(judged.evaluation.uri)
    files = split_files.files(judged.examples)['val']
    given = probe_process.replay(files, table, 3)
    assert len(given.serialized) == 3 and given.probabilities.shape[0] == 3
    for serialized, label, chances in zip(
        given.serialized, given.labels, given.probabilities, strict=True
    ):
        name = tf.train.Example.FromString(serialized).features.feature['image_id']
        (row,) = np.flatnonzero(
            (table.ids == name.bytes_list.value[0].decode()) & (table.splits == 'val')
        )
        assert table.classes[table.answers[row]] == label
        np.testing.assert_array_equal(table.probabilities[row], chances)
    assert len(probe_process.replay(files, table, 1000).serialized) == 10
    assert 'thawline.components.serving_check.probe' not in sys.modules
