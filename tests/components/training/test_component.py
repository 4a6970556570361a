"""TFX's Trainer in everything but the embeddings, which reach `run_fn` as a place."""

from __future__ import annotations

import pathlib
from typing import Any

from tfx.components import Trainer
from tfx.proto import trainer_pb2
from tfx.types import Channel, artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact

from thawline.components.embedding.artifacts import Embeddings
from thawline.components.shared import code_digest
from thawline.components.training import executor
from thawline.components.training.component import ImageTrainer
from thawline.components.training.executor import Executor
from thawline.components.training.params import Training

ARGUMENTS: dict[str, Any] = {
    'run_fn': 'thawline.components.training.run_fn.run_fn',
    'train_args': trainer_pb2.TrainArgs(splits=['train']),
    'eval_args': trainer_pb2.EvalArgs(splits=['val']),
}
SETTINGS: dict[str, Any] = {
    'base': {'image_size': 32},
    'training': Training(),
    'checkpoints': 'kept',
}
CONFIG = {
    'image_size': 32,
    'training': Training().model_dump_json(),
    'checkpoints': 'kept',
}
KEY = code_digest.key_properties(executor.__name__, 'thawline.components.training.run_fn')


def channels() -> dict[str, Channel]:
    return {
        'examples': Channel(type=standard_artifacts.Examples),
        'transform_graph': Channel(type=standard_artifacts.TransformGraph),
        'schema': Channel(type=standard_artifacts.Schema),
    }


def placed(artifact: Artifact, uri: pathlib.Path) -> list[Artifact]:
    artifact.uri = str(uri)
    return [artifact]


def test_properties_and_outputs_are_those_of_tfx_trainer() -> None:
    ours = ImageTrainer(**SETTINGS, **channels(), embeddings=Channel(type=Embeddings))
    theirs = Trainer(**ARGUMENTS, custom_config=CONFIG, **channels())
    expected = {k: v for k, v in theirs.spec.exec_properties.items() if v is not None}
    assert ours.spec.exec_properties == {**expected, **KEY}
    assert set(ours.outputs) == set(theirs.outputs)
    assert set(ours.inputs) == {*theirs.inputs, 'embeddings'}


def test_without_embeddings_nothing_is_added() -> None:
    assert set(ImageTrainer(**SETTINGS, **channels()).inputs) == set(channels())


def test_place_of_the_embeddings_reaches_run_fn(tmp_path: pathlib.Path) -> None:
    examples = standard_artifacts.Examples()
    examples.split_names = artifact_utils.encode_split_names(['train', 'val'])
    for split in ('train', 'val'):
        (tmp_path / 'examples' / f'Split-{split}').mkdir(parents=True)
    inputs = {'examples': placed(examples, tmp_path / 'examples')}
    outputs = {
        'model': placed(standard_artifacts.Model(), tmp_path / 'model'),
        'model_run': placed(standard_artifacts.ModelRun(), tmp_path / 'run'),
    }
    properties = ImageTrainer(**SETTINGS, **channels()).spec.exec_properties
    plain = Executor()._GetFnArgs(inputs, outputs, dict(properties))
    assert plain.custom_config == {**CONFIG, **KEY}
    inputs['embeddings'] = placed(Embeddings(), tmp_path / 'embeddings')
    fn_args = Executor()._GetFnArgs(inputs, outputs, dict(properties))
    assert fn_args.custom_config == {
        **CONFIG,
        **KEY,
        'embeddings': str(tmp_path / 'embeddings'),
    }
    assert fn_args.train_files == plain.train_files
