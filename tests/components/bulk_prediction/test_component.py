"""Unlabelled images through the nodes of the chain: examples, then TFX's BulkInferrer."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.orchestration.portable import data_types
from tfx.types import channel_utils, standard_artifacts
from tfx.types.artifact import Artifact

from tests.components.evaluation import evaluating
from tests.components.transformed import CLASSES, Transformed
from tests.pipeline.prediction import prediction_setup
from thawline.components.bulk_prediction import component, driver, executor, inferrer
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.ingestion.params import Columns
from thawline.components.shared import judged_files
from thawline.components.shared.artifacts import ServingRecord
from thawline.components.shared.errors import ConfigError, DataError
from thawline.pipeline.engines.beam_options import IN_PROCESS


def artifact(kind: type[Artifact], folder: pathlib.Path) -> Artifact:
    made = kind()
    made.uri = str(folder)
    return made


def properties(source: pathlib.Path | str) -> dict[str, Any]:
    made = component.UnlabelledExampleGen(
        source=str(source), columns=Columns(), max_side=1024, max_pixels=10**7
    )
    return dict(made.exec_properties)


def context() -> BaseBeamExecutor.Context:
    return BaseBeamExecutor.Context(beam_pipeline_args=list(IN_PROCESS))


def ingest(source: pathlib.Path | str, out: pathlib.Path) -> dict[str, list[Artifact]]:
    outputs = {
        'examples': [artifact(standard_artifacts.Examples, out / 'examples')],
        'quarantine': [artifact(Quarantine, out / 'quarantine')],
    }
    executor.Executor(context()).Do({}, outputs, properties(source))
    return outputs


def infer(
    examples: Artifact, model: pathlib.Path, blessed: bool, passed: bool, out: pathlib.Path
) -> list[prediction_log_pb2.PredictionLog]:
    """Answers of the nodes' model, by both its blessings."""
    blessing = artifact(standard_artifacts.ModelBlessing, out / 'blessing')
    blessing.set_int_custom_property('blessed', int(blessed))
    infra = artifact(standard_artifacts.InfraBlessing, out / 'infra_blessing')
    infra.set_int_custom_property('blessed', int(passed))
    result = artifact(standard_artifacts.InferenceResult, out / 'result')
    inputs = {
        'examples': examples,
        'model': artifact(standard_artifacts.Model, model),
        'model_blessing': blessing,
        'infra_blessing': infra,
        'serving_record': artifact(ServingRecord, model.with_name('record')),
    }
    node = component.ImageBulkInferrer(
        **{name: channel_utils.as_channel([value]) for name, value in inputs.items()}
    )
    inferrer.Executor(context()).Do(
        {name: [value] for name, value in inputs.items()},
        {'inference_result': [result]},
        dict(node.exec_properties),
    )
    files = [str(path) for path in (out / 'result').glob('prediction_logs-*.gz')]
    if not files:
        return []
    records = tf.data.TFRecordDataset(files, 'GZIP').as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(one) for one in records]


def test_bulk_inferrer_answers_as_predict_does(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    model = evaluating.exported(tmp_path / 'model', transformed, CLASSES)
    root = prediction_setup.write(
        tmp_path / 'images', prediction_setup.good() | prediction_setup.bad()
    )
    made = ingest(root, tmp_path)
    (examples,), (quarantine,) = made['examples'], made['quarantine']
    assert examples.split_names == '["unlabelled"]'
    assert not (tmp_path / 'quarantine' / 'staging').exists()
    assert quarantine.get_int_custom_property('written') == len(prediction_setup.good())
    assert quarantine.get_int_custom_property('quarantined') == len(prediction_setup.bad())

    target = tmp_path / 'out.jsonl'
    prediction_setup.predict([root], model / 'Format-Serving', target)
    expected = {row['path']: row for row in prediction_setup.read(target)}
    judged_files.record(model / 'Format-Serving', artifact(ServingRecord, tmp_path / 'record'))
    logs = infer(examples, model, True, True, tmp_path)
    found = {}
    for log in logs:
        request, response = log.predict_log.request, log.predict_log.response
        (serialized,) = request.inputs['examples'].string_val
        feature = tf.train.Example.FromString(serialized).features.feature
        assert 'label' not in feature
        path = feature['path'].bytes_list.value[0].decode()
        found[path] = {k: tf.make_ndarray(v)[0] for k, v in response.outputs.items()}
    assert set(found) == set(expected) and len(logs) == len(expected)
    for path, answers in found.items():
        assert answers['label'].decode() == expected[path]['label']
        theirs = list(expected[path]['probabilities'].values())
        np.testing.assert_allclose(answers['probabilities'], theirs, atol=2e-6)

    assert infer(examples, model, False, True, tmp_path / 'not_blessed') == []
    assert infer(examples, model, True, False, tmp_path / 'refused') == []
    (model / 'Format-Serving' / 'more.txt').write_text('')
    with pytest.raises(ConfigError, match='added: more.txt'):
        infer(examples, model, True, True, tmp_path / 'changed')


def test_batches_are_bounded() -> None:
    node = inferrer.Executor(context())
    node_properties = {'model_spec': '{}', 'data_spec': '{}'}
    spec = node._get_inference_spec('/model', node_properties)
    assert spec.batch_parameters.max_batch_size == 64
    assert spec.saved_model_spec.model_path == '/model'


def test_nothing_that_can_be_used(tmp_path: pathlib.Path) -> None:
    root = prediction_setup.write(tmp_path / 'images', {'a.jpg': b'text'})
    with pytest.raises(DataError, match='none of the images of .*images can be used: 1 x not an'):
        ingest(root, tmp_path)


def test_fingerprint_follows_the_files(tmp_path: pathlib.Path) -> None:
    root = prediction_setup.write(tmp_path / 'images', {'a.png': b'1', 'b.png': b'2'})

    def fingerprint(source: pathlib.Path) -> str:
        output = artifact(standard_artifacts.Examples, tmp_path / 'node' / 'examples' / '1')
        info = data_types.ExecutionInfo(
            exec_properties=properties(source), output_dict={'examples': [output]}
        )
        run = driver.Driver(metadata_handle=None).run(info)
        return run.exec_properties['source_fingerprint'].string_value

    first = fingerprint(root)
    assert fingerprint(root) == first
    prediction_setup.write(root, {'b.png': b'22'})
    second = fingerprint(root)
    assert second != first
    prediction_setup.write(root, {'c.png': b'3'})
    third = fingerprint(root)
    assert third not in (first, second)
    prediction_setup.write(root, {'d.heic': b'4'})  # is in the quarantine
    assert fingerprint(root) not in (first, second, third)
    nowhere = tmp_path / 'nowhere'
    assert fingerprint(nowhere) != fingerprint(nowhere)
