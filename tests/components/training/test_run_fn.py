"""The TFX shell: from transformed examples to a served model and a record, also after a kill."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from components import backbones, progress
from components.training import params, run_fn
from tests.components.transformed import CLASSES, RESIZE, SIZE, Transformed


class Killed(BaseException):
    """What ends a training in the middle."""


def arguments(
    folder: pathlib.Path, transformed: Transformed, weights: str = 'random', **tune: Any
) -> FnArgs:
    """As TFX Trainer hands them over; checkpoints outlive the folder of one execution."""
    training = params.Training(
        batch_size=10, augmentation='light', fine_tune=params.FineTune(blocks=1, **tune)
    )
    config = {
        'model': params.Model(backbone='mobilenet_v2_035', weights=weights).model_dump_json(),
        'training': training.model_dump_json(),
        'image_size': SIZE,
        'resize': RESIZE,
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


def probabilities(folder: pathlib.Path, transformed: Transformed) -> np.ndarray:
    model = tf.saved_model.load(str(folder / 'model' / 'Format-Serving'))
    images = tf.constant([row.image for row in transformed.rows])
    found: np.ndarray = model.signatures['serving_bytes'](image_bytes=images)[
        'probabilities'
    ].numpy()
    return found


def kill_in_the_second_epoch(now: progress.Progress) -> None:
    if now.what == 'fine-tuning steps' and now.done == 3:  # of two steps an epoch
        raise Killed


@pytest.fixture(scope='module')
def folder(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where a training ran that was killed, and then once more to its end."""
    parent = tmp_path_factory.mktemp('trainer')
    # Random weights differ between builds and would make it another training: one file for both.
    keras.utils.set_random_seed(0)
    weights = parent / 'base.weights.h5'
    backbones.build('mobilenet_v2_035', SIZE, 'random').model.save_weights(weights)
    chosen: dict[str, Any] = {'weights': str(weights), 'epochs': 2, 'learning_rate': 1e-3}
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
    record = json.loads((folder / 'run' / run_fn.RECORD_FILE).read_text('utf-8'))
    assert record['classes'] == list(CLASSES)
    assert record['images'] == {'train': 4 * len(CLASSES), 'val': 2 * len(CLASSES)}
    assert record['base']['backbone'] == 'mobilenet_v2_035'
    assert len(record['base']['weights_digest']) == 64
    assert record['environment'].keys() >= {'python', 'tensorflow', 'keras'}
    assert [epoch['epoch'] for epoch in record['fine_tune']['history']] == [1, 2]


def test_served_model_is_the_one_that_the_record_tells_of(
    folder: pathlib.Path, transformed: Transformed
) -> None:
    record = json.loads((folder / 'run' / run_fn.RECORD_FILE).read_text('utf-8'))
    found = probabilities(folder, transformed)
    assert found.shape == (6 * len(CLASSES), len(CLASSES))
    labels = [CLASSES.index(row.label) for row in transformed.rows]
    hits = (found.argmax(1) == labels)[4 * len(CLASSES) :]  # val is the second part
    assert hits.mean() == pytest.approx(record['val']['accuracy'])


def test_nothing_is_left_behind(folder: pathlib.Path) -> None:
    """Neither spooled pixels nor a state that a later training could take for its own."""
    assert not list((folder / 'run').glob('**/*.npy'))
    assert not list((folder.parent / 'checkpoints').glob('*/state.npz'))
