"""The TFX shell of the recipe: reads transformed examples, trains, exports."""

from __future__ import annotations

import hashlib
import json
import pathlib
import platform
import time

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components import backbones, progress
from components.serving import export
from components.training import checkpoint, dataset, params, recipe
from components.transform import preprocessing

RECORD_FILE = 'training.json'


def _classes(transform_output: tft.TFTransformOutput) -> tuple[str, ...]:
    names = transform_output.vocabulary_by_name(preprocessing.CLASSES_FILE)
    return tuple(name.decode('utf-8') for name in sorted(names))


def run_fn(fn_args: FnArgs) -> None:
    """What TFX Trainer calls.

    `fn_args.custom_config` holds `model` and `training` (JSON of `params`), `image_size`, `resize`,
    `checkpoints` (a folder that outlives a failed execution), and, for the cache key alone,
    `weights_digest` and `code_digest`.
    """
    config = fn_args.custom_config
    settings = params.Training.model_validate_json(config['training'])
    chosen = params.Model.model_validate_json(config['model'])
    size = int(config['image_size'])
    run_folder = pathlib.Path(fn_args.model_run_dir)
    transform_output = tft.TFTransformOutput(fn_args.transform_output)
    classes = _classes(transform_output)

    started = time.monotonic()
    progress.start('reading images')
    spool = run_folder / 'spool'
    train_set = dataset.load(fn_args.train_files, size, spool / 'train.npy')
    val_set = dataset.load(fn_args.eval_files, size, spool / 'val.npy')
    read = time.monotonic() - started

    keras.utils.set_random_seed(settings.seed)  # random weights are part of what a seed repeats
    backbone = backbones.build(chosen.backbone, size, chosen.weights)
    # A state is of this training only if images, settings, weights and code are all the same.
    identity = [fn_args.train_files, fn_args.eval_files, backbone.weights_digest, dict(config)]
    key = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()
    kept = checkpoint.Checkpoint(pathlib.Path(config['checkpoints']) / key[:16], key)
    log = tf.summary.create_file_writer(str(run_folder / 'tensorboard'))
    trained = recipe.train(backbone, classes, train_set, val_set, settings, kept, log)
    log.close()

    progress.note('exporting')
    export.export(
        trained.classifier.model,
        classes,
        transform_output,
        size,
        config['resize'],
        pathlib.Path(fn_args.serving_model_dir),
    )
    trained.record['seconds']['read'] = read
    trained.record['base'] = {
        'backbone': chosen.backbone,
        'weights': backbone.weights_source,
        'weights_digest': backbone.weights_digest,
        'image_size': size,
    }
    trained.record['environment'] = {
        'python': platform.python_version(),
        'tensorflow': tf.__version__,
        'keras': keras.__version__,
    }
    run_folder.mkdir(parents=True, exist_ok=True)
    (run_folder / RECORD_FILE).write_text(json.dumps(trained.record, indent=1), 'utf-8')
    for array in spool.glob('*.npy'):
        array.unlink()
    kept.clear()
