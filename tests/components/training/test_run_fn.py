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


def test_trains_exports_and_records(transformed: Transformed, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / 'one'
    run_fn.run_fn(arguments(folder, transformed, enabled=False))
    record = json.loads((folder / 'run' / run_fn.RECORD_FILE).read_text('utf-8'))
    assert record['classes'] == list(CLASSES)
    assert record['images'] == {'train': 4 * len(CLASSES), 'val': 2 * len(CLASSES)}
    assert record['base']['backbone'] == 'mobilenet_v2_035'
    assert len(record['base']['weights_digest']) == 64
    assert record['environment'].keys() == {'python', 'tensorflow', 'keras'}
    found = probabilities(folder, transformed)
    assert found.shape == (6 * len(CLASSES), len(CLASSES))
    # The served model is the one whose scores the record tells: val is the second part.
    labels = [CLASSES.index(row.label) for row in transformed.rows]
    hits = (found.argmax(1) == labels)[4 * len(CLASSES) :]
    assert hits.mean() == pytest.approx(record['probe']['val']['accuracy'])
    assert not list((folder / 'run').glob('**/*.npy'))


def test_killed_training_is_resumed_by_the_next_execution(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    def kill_in_the_second_epoch(now: progress.Progress) -> None:
        if now.what == 'fine-tuning steps' and now.done == 3:  # of two steps an epoch
            raise Killed

    # Random weights differ between builds and would make it another training: one file for all.
    keras.utils.set_random_seed(0)
    weights = tmp_path / 'base.weights.h5'
    backbones.build('mobilenet_v2_035', SIZE, 'random').model.save_weights(weights)

    chosen: dict[str, Any] = {'weights': str(weights), 'epochs': 2, 'learning_rate': 1e-3}
    for name, listener in (('whole', None), ('killed', kill_in_the_second_epoch), ('next', None)):
        given = arguments(tmp_path / name, transformed, **chosen)
        if name == 'whole':
            given.custom_config['checkpoints'] = str(tmp_path / 'other')
        if listener is None:
            seen: list[progress.Progress] = []
            with progress.listening(seen.append):
                run_fn.run_fn(given)
        else:
            with pytest.raises(Killed), progress.listening(listener):
                run_fn.run_fn(given)
            assert len(list((tmp_path / 'checkpoints').glob('*/state.npz'))) == 1
    first = next(i for i, now in enumerate(seen) if now.what == 'fine-tuning steps')
    assert seen[first + 1].done == 2  # the first epoch was not trained again
    records = [
        json.loads((tmp_path / name / 'run' / run_fn.RECORD_FILE).read_text('utf-8'))
        for name in ('whole', 'next')
    ]
    assert records[0]['fine_tune'] == records[1]['fine_tune']
    assert records[0]['kept'] == records[1]['kept']
    found = [probabilities(tmp_path / name, transformed) for name in ('whole', 'next')]
    np.testing.assert_array_equal(found[0], found[1])
    # A complete training leaves no state that a later one could take for its own.
    assert not list((tmp_path / 'checkpoints').glob('*/state.npz'))
