"""The TFX shell: from transformed examples to a served model and a record, also after a kill."""

from __future__ import annotations

import pathlib
from typing import Any, Literal

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from tests import tiny_base
from tests.components.embedding import embedding_run
from tests.components.transformed import CLASSES, RESIZE, SIZE, Transformed
from thawline.components import backbones
from thawline.components.backbones.params import PretrainedBase
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.shared import progress
from thawline.components.shared.errors import DataError
from thawline.components.shared.held_out_answers import HeldOutAnswers
from thawline.components.shared.store_shards import key_of
from thawline.components.training import params, run_fn
from thawline.components.training.record import TrainingRecord
from thawline.components.transform import preprocessing

BACKBONE = tiny_base.NAME


class Killed(BaseException):
    """What ends a training in the middle."""


def arguments(
    folder: pathlib.Path,
    transformed: Transformed,
    embeddings: pathlib.Path,
    weights: str = 'random',
    mode: Literal['fine_tune', 'probe'] = 'fine_tune',
    **tune: Any,
) -> FnArgs:
    """As TFX Trainer hands them over; checkpoints outlive the folder of one execution."""
    training = params.Training(
        mode=mode,
        refit='never',  # so that the record tells of what is served
        batch_size=10,
        augmentation='light',
        fine_tune=params.FineTune(blocks=1, **tune),
    )
    config = {
        'model': PretrainedBase(backbone=BACKBONE, weights=weights).model_dump_json(),
        'training': training.model_dump_json(),
        'image_size': SIZE,
        'resize': RESIZE,
        'embeddings': str(embeddings),
        'checkpoints': str(folder.parent / 'checkpoints'),
        'code_digest': 'digest',
    }
    return FnArgs(
        train_files=[f'{transformed.examples["train"]}/*.gz'],
        eval_files=[f'{transformed.examples["eval"]}/*.gz'],
        transform_output=str(transformed.folder),
        serving_model_dir=str(folder / 'model' / 'Format-Serving'),
        model_run_dir=str(folder / 'run'),
        custom_config=config,
    )


def note_digests(examples: pathlib.Path, copy: pathlib.Path) -> str:
    """Copies TFX's examples with the digests that our Transform notes; returns the copy's path."""
    with tf.io.TFRecordWriter(str(copy), 'GZIP') as writer:
        for record in tf.data.TFRecordDataset(str(examples), 'GZIP').as_numpy_iterator():
            message = tf.train.Example.FromString(record)
            features = message.features.feature
            (pixels,) = features[preprocessing.PIXELS].bytes_list.value
            features[preprocessing.PIXELS_DIGEST].bytes_list.value.append(key_of(pixels))
            writer.write(message.SerializeToString())
    return str(copy)


def embed(
    transformed: Transformed, folder: pathlib.Path, weights: str = 'random', seed: int = 3
) -> pathlib.Path:
    """Runs the Embedder's pipeline on the examples; returns where its files are."""
    settings = EmbeddingSettings(BACKBONE, weights, SIZE, 'blocks', 'light', 1, seed)
    files = {
        split: [
            note_digests(file, folder.with_name(f'{folder.name}-{split}-{file.name}'))
            for file in sorted(transformed.examples[name].glob('*.gz'))
        ]
        for split, name in (('train', 'train'), ('val', 'eval'))
    }
    embedding_run.embed(files, folder, settings)
    return folder


def probabilities(folder: pathlib.Path, transformed: Transformed) -> np.ndarray:
    model = tf.saved_model.load(str(folder / 'model' / 'Format-Serving'))
    images = tf.constant([row.image for row in transformed.rows])
    predictions: np.ndarray = model.signatures['serving_bytes'](image_bytes=images)[
        'probabilities'
    ].numpy()
    return predictions


def kill_in_the_second_epoch(now: progress.Progress) -> None:
    if now.what == 'fine-tuning steps' and now.done == 3:  # of two steps an epoch
        raise Killed


@pytest.fixture(scope='module')
def folder(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where a training ran that was killed, and then once more to its end."""
    parent = tmp_path_factory.mktemp('trainer')
    # Weights from a file, as pretrained ones; `probed` has those that only a seed tells.
    keras.utils.set_random_seed(0)
    weights = parent / 'base.weights.h5'
    backbones.build(BACKBONE, SIZE, 'random').model.save_weights(weights)
    chosen: dict[str, Any] = {
        'embeddings': embed(transformed, parent / 'embeddings', str(weights)),
        'weights': str(weights),
        'epochs': 2,
        'learning_rate': 1e-3,
    }
    with pytest.raises(Killed), progress.listening(kill_in_the_second_epoch):
        run_fn.run_fn(arguments(parent / 'killed', transformed, **chosen))
    assert len(list((parent / 'checkpoints').glob('*/state.npz'))) == 1
    seen: list[progress.Progress] = []
    with progress.listening(seen.append):
        run_fn.run_fn(arguments(parent / 'next', transformed, **chosen))
    first = next(i for i, now in enumerate(seen) if now.what == 'fine-tuning steps')
    assert seen[first + 1].done == 2  # the first epoch was not trained again
    return parent / 'next'


def test_record(folder: pathlib.Path) -> None:
    trained = TrainingRecord.read(folder / 'run')
    assert trained.classes == CLASSES
    assert trained.images == {'train': 4 * len(CLASSES), 'val': 2 * len(CLASSES)}
    assert trained.base.backbone == BACKBONE and trained.base.image_size == SIZE
    assert len(trained.base.weights_digest) == 64
    assert trained.environment.keys() >= {'python', 'tensorflow', 'keras'}
    assert [epoch.epoch for epoch in trained.epochs] == [1, 2]
    assert set(trained.seconds) == {'embeddings', 'probe', 'read', 'augmentation', 'fine_tune'}
    curves = (folder / 'run' / run_fn.CURVES_FILE).read_text('utf-8')
    assert curves.lstrip().startswith('<?xml') and '</svg>' in curves


@pytest.fixture(scope='module')
def probed(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where the head alone was trained, from the embeddings alone: there are no images to read."""
    parent = tmp_path_factory.mktemp('probe')
    embeddings = embed(transformed, parent / 'embeddings')
    fn_args = arguments(parent / 'run', transformed, embeddings, mode='probe')
    fn_args.train_files = fn_args.eval_files = [str(parent / 'nothing' / '*.gz')]
    run_fn.run_fn(fn_args)
    return parent / 'run'


def test_probe_needs_no_images(probed: pathlib.Path) -> None:
    trained = TrainingRecord.read(probed / 'run')
    assert trained.images == {'train': 4 * len(CLASSES), 'val': 2 * len(CLASSES)}
    assert trained.kept == 'probe' and trained.fine_tune is None
    assert set(trained.seconds) == {'embeddings', 'probe'}


@pytest.mark.parametrize('training', ['folder', 'probed'])
def test_served_model_is_the_one_that_the_record_tells_of(
    training: str, request: pytest.FixtureRequest, transformed: Transformed
) -> None:
    folder = request.getfixturevalue(training)
    predictions = probabilities(folder, transformed)
    assert predictions.shape == (6 * len(CLASSES), len(CLASSES))
    labels = [CLASSES.index(row.label) for row in transformed.rows]
    hits = (predictions.argmax(1) == labels)[4 * len(CLASSES) :]  # val is the second part
    assert hits.mean() == pytest.approx(TrainingRecord.read(folder / 'run').val.accuracy)


@pytest.mark.parametrize('training', ['folder', 'probed'])
def test_answers_that_were_held_out_are_beside_the_record(
    training: str, request: pytest.FixtureRequest, transformed: Transformed
) -> None:
    run = request.getfixturevalue(training) / 'run'
    answers, record = HeldOutAnswers.read(run), TrainingRecord.read(run)
    assert answers is not None and len(answers) == record.images['val']
    assert not answers.by_folds and not answers.tuned
    names = {row.image_id: row.label for row in transformed.rows}
    labels = [CLASSES.index(names[identity.decode()]) for identity in answers.ids]
    assert record.validation.judged is not None
    assert (answers.answers == labels).mean() == pytest.approx(record.validation.judged.accuracy)


def test_nothing_is_left_behind(folder: pathlib.Path) -> None:
    """Neither spooled pixels nor a state that a later training could take for its own."""
    assert not list((folder / 'run').glob('**/*.npy'))
    assert not list((folder.parent / 'checkpoints').glob('*/state.npz'))


def test_embeddings_of_other_weights_are_refused(
    probed: pathlib.Path, transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    """The head would be fitted on what the base of the model does not say."""
    keras.utils.set_random_seed(1)
    weights = tmp_path / 'other.weights.h5'
    backbones.build(BACKBONE, SIZE, 'random').model.save_weights(weights)
    embeddings = probed.parent / 'embeddings'
    fn_args = arguments(tmp_path / 'run', transformed, embeddings, str(weights))
    with pytest.raises(
        DataError, match=f'{embeddings} are of other weights of {BACKBONE}.*--no-cache'
    ):
        run_fn.run_fn(fn_args)
    assert not (tmp_path / 'run' / 'model').exists()


def test_missing_embeddings_are_told(transformed: Transformed, tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match='does not describe embeddings'):
        run_fn.run_fn(arguments(tmp_path / 'run', transformed, tmp_path / 'nothing'))
