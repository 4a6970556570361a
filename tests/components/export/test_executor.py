"""The Exporter on a model that was really evaluated: every format made, run and compared."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tests.components.export import exporting
from tests.components.export.exporting import BASE, Judged
from tests.components.transformed import CLASSES, SIZE, Transformed
from thawline.components.evaluation import predictions
from thawline.components.export import format_libraries, litert, onnx_format, warmup
from thawline.components.saved_model import card
from thawline.components.shared import model_fingerprint
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.model_fingerprint import Fingerprint, LocalFiles
from thawline.components.transform import examples

LITERT = ('litert', 'litert_dynamic', 'litert_int8')


@pytest.fixture(scope='module')
def judged(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return exporting.judged(tmp_path_factory.mktemp('judged'), transformed)


def val_pixels(judged: Judged) -> dict[str, np.ndarray]:
    """Pixels of each val image by its id."""
    files = sorted(
        str(p) for p in pathlib.Path(judged.transformed_examples.uri, 'Split-val').iterdir()
    )
    return {
        name.decode(): pixels
        for batch in examples.read(files, SIZE)
        for name, pixels in zip(batch.ids, batch.values, strict=True)
    }


def test_every_format_answers_as_it_says(judged: Judged, tmp_path: pathlib.Path) -> None:
    kinds = [*LITERT, *([] if format_libraries.missing_libraries('onnx') else ['onnx'])]
    found = exporting.export(
        tmp_path, judged, exports=kinds, exports_tolerance=0.99, licence='CC0', abstain=None
    )
    told = found.record
    assert told.blessed and told.placed == tuple(kinds)
    assert json.loads(found.exports.get_string_custom_property('placed')) == kinds
    assert told.latency_ms is not None and told.latency_ms > 0
    table = predictions.read(judged.evaluation.uri)
    val = table.splits == 'val'
    pixels = np.stack([val_pixels(judged)[name] for name in table.ids[val]])
    for one in told.exports:
        folder = found.model / 'assets.extra' / 'exports' / one.kind
        is_onnx = one.kind == 'onnx'
        (file,) = [p for p in folder.iterdir() if p.suffix in ('.tflite', '.onnx')]
        run = (onnx_format if is_onnx else litert).runner(file)
        # The batch may have any size, and another one later.
        answers = np.concatenate([run(pixels[:3]), run(pixels[3:4]), run(pixels[4:])])
        assert answers.dtype == np.float32
        bound = 1e-5 if one.kind in ('litert', 'onnx') else 0.5
        np.testing.assert_allclose(answers, table.probabilities[val], atol=bound)
        right = (answers.argmax(axis=1) == table.labels[val]).mean()
        assert one.accuracy == pytest.approx(right) and one.images == val.sum()
        theirs = (table.answers == table.labels)[val].mean()
        assert one.difference == pytest.approx(right - theirs)
        assert one.megabytes == file.stat().st_size / 1e6 and one.latency_ms > 0
        about = json.loads((folder / 'thawline.json').read_text('utf-8'))
        assert about['classes'] == list(CLASSES) and about['licence'] == 'CC0'
        assert about['decision']['temperature'] == 1.4
        assert about['export']['kind'] == one.kind and about['export']['file'] == file.name
    sizes = {one.kind: one.megabytes for one in told.exports}
    assert sizes['litert_int8'] < sizes['litert']


def test_what_was_evaluated_is_what_is_exported(judged: Judged, tmp_path: pathlib.Path) -> None:
    trained = LocalFiles(pathlib.Path(judged.model.uri, 'Format-Serving'))
    evaluated = Fingerprint.read(judged.evaluation.uri)
    assert evaluated == model_fingerprint.fingerprint(trained)
    assert judged.evaluation.get_string_custom_property('model_digest') == evaluated.digest
    made = exporting.export(tmp_path, judged)
    present = model_fingerprint.fingerprint(LocalFiles(made.model))
    assert Fingerprint.read(made.exports.uri) == present
    assert evaluated.files.items() <= present.files.items() | {
        ('assets.extra/thawline.json', evaluated.files['assets.extra/thawline.json'])
    }
    changed = tmp_path / 'changed'
    shutil.copytree(judged.model.uri, changed)
    content = bytearray((changed / 'Format-Serving' / 'saved_model.pb').read_bytes())
    content[1000] ^= 1
    (changed / 'Format-Serving' / 'saved_model.pb').write_bytes(content)
    other = dataclasses.replace(
        judged, model=exporting.artifact(type(judged.model), changed, judged.model.id)
    )
    with pytest.raises(ConfigError, match='changed: saved_model.pb; .*--from Trainer --no-cache'):
        exporting.export(tmp_path / 'again', other)
    assert not (tmp_path / 'again' / 'exports' / 'exports.json').exists()


def test_lossy_format_outside_of_the_tolerance_is_not_placed(
    judged: Judged, tmp_path: pathlib.Path
) -> None:
    found = exporting.export(
        tmp_path, judged, exports=('litert', 'litert_int8'), exports_tolerance=0.0
    )
    lossless, lossy = found.record.exports
    # The same function loses nothing, however few images say so.
    assert lossless.placed and lossless.lower < 0
    assert not lossy.placed and 'serving.exports_tolerance' in lossy.why
    assert found.record.placed == ('litert',)
    assert [p.name for p in (found.model / 'assets.extra' / 'exports').iterdir()] == ['litert']


def test_copy_is_whole_and_the_trained_model_is_left_as_it_was(
    judged: Judged, tmp_path: pathlib.Path
) -> None:
    trained = pathlib.Path(judged.model.uri, 'Format-Serving')
    before = {p: p.read_bytes() for p in trained.rglob('*') if p.is_file()}
    found = exporting.export(tmp_path, judged, licence='CC BY 4.0')
    assert {p: p.read_bytes() for p in trained.rglob('*') if p.is_file()} == before
    assert found.record.exports == () and found.record.latency_ms is None
    for path, content in before.items():
        copied = found.model / path.relative_to(trained)
        if copied.name != 'thawline.json':
            assert copied.read_bytes() == content
    described = card.read(found.model)
    assert described.licence == 'CC BY 4.0' and described.classes == CLASSES
    assert described.rule == card.read(trained).rule
    lineage = described.lineage
    assert lineage.blessed and lineage.model_id == judged.model.id
    assert lineage.base == {k: vars(BASE)[k] for k in ('backbone', 'weights', 'weights_digest')}
    val = lineage.accuracy['val']
    assert val.images == 2 * len(CLASSES) and val.lower <= val.share
    served = tf.saved_model.load(str(found.model)).signatures['serving_pixels']
    pixels = np.zeros((2, 9, 7, 3), np.uint8)
    assert served(pixels=tf.constant(pixels))['probabilities'].shape == (2, len(CLASSES))


def test_warm_up_requests_are_those_of_tensorflow_serving(
    judged: Judged, tmp_path: pathlib.Path
) -> None:
    found = exporting.export(tmp_path, judged)
    loaded = tf.saved_model.load(str(found.model))
    asked = set()
    for record in tf.data.TFRecordDataset(str(found.model / warmup.FILE)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        name = request.model_spec.signature_name
        inputs = {key: tf.constant(tf.make_ndarray(v)) for key, v in request.inputs.items()}
        assert loaded.signatures[name](**inputs)['score'].shape == (1,)
        asked.add(name)
    assert asked == {'serving_bytes', 'serving_default', 'serving_pixels'}


def test_unblessed_model_is_copied_and_nothing_more(
    judged: Judged, transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    blessing = exporting.artifact(type(judged.blessing), tmp_path / 'blessing', 9)
    blessing.set_int_custom_property('blessed', 0)
    refused = dataclasses.replace(judged, blessing=blessing)
    found = exporting.export(tmp_path, refused, exports=('litert',), abstain={'accuracy': 0.6})
    assert not found.record.blessed and found.record.exports == ()
    assert found.record.abstain is None and card.read(found.model).abstain is None
    assert not card.read(found.model).lineage.blessed
    assert not (found.model / 'assets.extra' / 'exports').exists()
    assert (found.model / 'saved_model.pb').is_file()


def test_too_few_images_for_a_threshold_is_said(judged: Judged, tmp_path: pathlib.Path) -> None:
    found = exporting.export(tmp_path, judged, abstain={'accuracy': 0.98})
    assert found.record.abstain is None
    assert 'no score on 10 val images assures an accuracy of 0.98' in found.record.abstain_note
    assert 'even if all are answered right' in found.record.abstain_note


def test_format_without_its_library_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(format_libraries._NEEDED, 'onnx', ('tensorflow', 'no_such_library'))
    format_libraries.check(('litert',))
    with pytest.raises(ConfigError, match=r'serving.exports\[1\] is onnx, which needs no_such_lib'):
        format_libraries.check(('litert', 'onnx'))
