"""TFX's Tuner in everything but the embeddings; and the whole component on a base by its name."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import Tuner
from tfx.dsl.components.base import base_executor
from tfx.proto import trainer_pb2
from tfx.types import Channel, artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact

from tests import tiny_base
from tests.components.transformed import RESIZE, SIZE, Transformed
from thawline.components.backbones.params import PretrainedBase
from thawline.components.embedding import embeddings
from thawline.components.embedding.artifacts import Embeddings
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.embedding.feature_extractor import FeatureExtractor
from thawline.components.shared import code_digest
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import params, run_fn, training_images, tuned_settings
from thawline.components.training.record import TrainingRecord
from thawline.components.tuning import executor
from thawline.components.tuning.component import ImageTuner
from thawline.components.tuning.executor import Executor
from thawline.components.tuning.params import Tuning
from thawline.components.tuning.record import TuningRecord

pytestmark = pytest.mark.filterwarnings('ignore:.*is deprecated, :DeprecationWarning')
BASE = tiny_base.NAME


def channels() -> dict[str, Channel]:
    return {
        'examples': Channel(type=standard_artifacts.Examples),
        'transform_graph': Channel(type=standard_artifacts.TransformGraph),
    }


ARGUMENTS: dict[str, Any] = {
    'tuner_fn': 'thawline.components.tuning.tuner_fn.tuner_fn',
    'train_args': trainer_pb2.TrainArgs(splits=['train']),
    'eval_args': trainer_pb2.EvalArgs(splits=['val']),
}


def placed(artifact: Artifact, uri: pathlib.Path) -> list[Artifact]:
    uri.mkdir(parents=True, exist_ok=True)
    artifact.uri = str(uri)
    return [artifact]


def test_properties_and_outputs_are_those_of_tfx_tuner() -> None:
    ours = ImageTuner(
        base={'a': 1},
        training=params.Training(tuned=True),
        tuning=Tuning(),
        **channels(),
        embeddings=Channel(type=Embeddings),
    )
    config = {
        'a': 1,
        'training': params.Training().model_dump_json(exclude={'tuned'}),
        'tuning': Tuning().model_dump_json(),
    }
    theirs = Tuner(**ARGUMENTS, custom_config=config, **channels())
    expected = {k: v for k, v in theirs.spec.exec_properties.items() if v is not None}
    key = code_digest.key_properties(executor.__name__, 'thawline.components.tuning.tuner_fn')
    assert ours.spec.exec_properties == {**expected, **key}
    assert {k: c.type for k, c in ours.outputs.items()} == {
        k: c.type for k, c in theirs.outputs.items()
    }
    assert set(ours.inputs) == {*theirs.inputs, 'embeddings'}


def embed(folder: pathlib.Path, transformed: Transformed) -> None:
    """What the Embedder would write, of a base with random weights from seed 0."""
    settings = EmbeddingSettings(BASE, 'random', SIZE, 'blocks', 'none', 0, 0)
    base = FeatureExtractor(settings)
    counts = {}
    for split, name in (('train', 'train'), ('eval', 'val')):
        data = training_images.load([f'{transformed.examples[split]}/*.gz'], SIZE)
        features = base.embed(name, data)
        counts[name] = len(features)
        target = pathlib.Path(embeddings.split_folder(str(folder), name))
        target.mkdir(parents=True)
        write(target / f'{embeddings.FILE_PREFIX}-00000-of-00001', features)
    spec = embeddings.Spec(
        BASE, 'random', SIZE, 'blocks', 'none', 0, 0,
        base.dimension, counts, base.backbone.weights_digest, 0.0,
    )  # fmt: skip
    embeddings.write_spec(str(folder), spec)


def write(file: pathlib.Path, data: LabelledSet) -> None:
    with tf.io.TFRecordWriter(str(file)) as writer:
        for example in embeddings.encode(data):
            writer.write(example)


@pytest.fixture(scope='module')
def outputs(
    transformed: Transformed, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Artifact]]:
    """What the executor wrote for images of noise: two trainings, nothing to be learnt."""
    folder = tmp_path_factory.mktemp('tuner')
    embed(folder / 'embeddings', transformed)
    examples = standard_artifacts.Examples()
    examples.split_names = artifact_utils.encode_split_names(['train', 'val'])
    (folder / 'examples').mkdir()
    for split, of in (('train', 'train'), ('val', 'eval')):
        (folder / 'examples' / f'Split-{split}').symlink_to(transformed.examples[of])
    inputs = {
        'examples': placed(examples, folder / 'examples'),
        'transform_graph': placed(standard_artifacts.TransformGraph(), transformed.folder),
        'embeddings': placed(Embeddings(), folder / 'embeddings'),
    }
    results = {
        'best_hyperparameters': placed(standard_artifacts.HyperParameters(), folder / 'best'),
        'tuner_results': placed(standard_artifacts.TunerResults(), folder / 'results'),
    }
    model = PretrainedBase(backbone=BASE, weights='random').model_dump_json()
    component = ImageTuner(
        base={'model': model, 'image_size': SIZE},
        training=params.Training(batch_size=10, fine_tune=params.FineTune(blocks=1, epochs=1)),
        tuning=Tuning(trials=2, epochs=1),
        **channels(),
        embeddings=Channel(type=Embeddings),
    )
    context = base_executor.BaseExecutor.Context(tmp_dir=str(folder / 'tmp'), unique_id='1')
    Executor(context).Do(inputs, results, dict(component.spec.exec_properties))
    return results


def test_record_and_results_are_written(outputs: dict[str, list[Artifact]]) -> None:
    folder = pathlib.Path(outputs['tuner_results'][0].uri)
    content = json.loads((folder / TuningRecord.FILE).read_text('utf-8'))
    assert content['base'] == tuned_settings.base_name(BASE, SIZE)
    assert content['trials'][0]['values']['fine_tune.blocks'] == 1
    assert [head['features'] for head in content['heads']] == ['blocks', 'blocks', 'top']
    assert len(json.loads((folder / 'tuner_results.json').read_text('utf-8'))) == 2


def trained(
    folder: pathlib.Path,
    transformed: Transformed,
    place: pathlib.Path,
    hyperparameters: dict[str, Any],
) -> TrainingRecord:
    training = params.Training(
        batch_size=10, tuned=True, fine_tune=params.FineTune(blocks=1, epochs=1)
    )
    run_fn.run_fn(
        FnArgs(
            train_files=[f'{transformed.examples["train"]}/*.gz'],
            eval_files=[f'{transformed.examples["eval"]}/*.gz'],
            transform_output=str(transformed.folder),
            serving_model_dir=str(folder / 'model'),
            model_run_dir=str(folder / 'run'),
            hyperparameters=hyperparameters,
            custom_config={
                'model': PretrainedBase(backbone=BASE, weights='random').model_dump_json(),
                'training': training.model_dump_json(),
                'image_size': SIZE,
                'resize': RESIZE,
                'checkpoints': str(folder / 'checkpoints'),
                'embeddings': str(place),
            },
        )
    )
    return TrainingRecord.read(folder / 'run')


def test_trainer_takes_the_artifact(
    outputs: dict[str, list[Artifact]], transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    folder = pathlib.Path(outputs['best_hyperparameters'][0].uri)
    (file,) = folder.iterdir()
    config = json.loads(file.read_text('utf-8'))
    config['values'] |= {'fine_tune.blocks': 3, 'augmentation': 'flip'}
    outcome = trained(tmp_path, transformed, folder.parent / 'embeddings', config)
    assert outcome.fine_tune.blocks == 3
    assert outcome.tuned['fine_tune.blocks'] == 3
    assert outcome.tuned['augmentation'] == 'flip'
    assert set(outcome.tuned) == set(tuned_settings.NAMES)
