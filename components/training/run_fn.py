"""What the node Trainer runs: reads its inputs, trains by the recipe, exports."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import platform
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from thawline.components.backbones.params import PretrainedBase
from thawline.components.saved_model import signatures
from thawline.components.shared import progress
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import (
    budget,
    learning_curves,
    node_inputs,
    params,
    precision,
    tuned_settings,
    validation,
)
from thawline.components.training.checkpoint import CheckpointFile
from thawline.components.training.node_inputs import NodeInputs
from thawline.components.training.record import BaseRecord
from thawline.components.training.validation import ImageRoles

CURVES_FILE = 'learning_curves.svg'


def run_fn(fn_args: FnArgs) -> None:
    """Called by TFX's Trainer.

    `fn_args.custom_config` holds `model` and `training` (JSON of `params`), `image_size`, `resize`,
    `embeddings` (the Embedder's folder), `ingested` (of the
    images, with their folds), `checkpoints` (a folder that outlives a failed
    execution), and, for the cache key and the checkpoint's alone, `weights_digest`, `code_digest`
    and `library_versions`. Where the training is `tuned`, `fn_args.hyperparameters` is a Tuner's
    result, which overrides the settings.

    Raises:
        ConfigError: tuned settings are missing or for another base, or as `recipe.train`.
        DataError: the embeddings are of another base, or as `recipe.train`.
    """
    config = fn_args.custom_config
    settings = params.Training.model_validate_json(config['training'])
    base = PretrainedBase.model_validate_json(config['model'])
    size = int(config['image_size'])
    run_folder = pathlib.Path(fn_args.model_run_dir)
    tuned_values = None
    if settings.tuned:
        base_name = tuned_settings.base_name(base.backbone, size)
        tuned_values = tuned_settings.read(fn_args.hyperparameters, base_name)

    deadline = budget.Deadline.of(settings.budget)
    inputs = node_inputs.read(config, fn_args.transform_output)
    backbone = inputs.backbone
    if tuned_values is not None:
        settings = tuned_settings.override(settings, tuned_values, len(backbone.blocks))
    seconds = deadline.elapsed
    spool = run_folder / 'spool'

    def images() -> tuple[LabelledSet, LabelledSet]:
        return node_inputs.read_images(fn_args.train_files, fn_args.eval_files, size, spool)

    roles = node_inputs.read_roles(config['ingested']) if 'ingested' in config else ImageRoles()
    key = checkpoint_key(inputs, roles, config, tuned_values)
    checkpoint_file = CheckpointFile(pathlib.Path(config['checkpoints']) / key[:16], key)
    log = tf.summary.create_file_writer(str(run_folder / 'tensorboard'))
    trained = validation.train(
        backbone, inputs.classes, inputs.features, images, settings, roles, checkpoint_file, log,
        spool, deadline,
    )  # fmt: skip
    log.close()

    progress.note('exporting')
    signatures.export(
        trained.classifier,
        inputs.classes,
        tft.TFTransformOutput(fn_args.transform_output),
        size,
        config['resize'],
        pathlib.Path(fn_args.serving_model_dir),
        trained.rule,
        frozen=trained.record.kept == 'probe',
    )
    record = dataclasses.replace(
        trained.record,
        seconds={**trained.record.seconds, 'embeddings': seconds},
        budget=deadline.record(),
        base=BaseRecord(base.backbone, backbone.weights_source, backbone.weights_digest, size),
        tuned=tuned_values,
        environment={
            'python': platform.python_version(),
            'tensorflow': tf.__version__,
            'keras': keras.__version__,
            'precision': precision.dtype_policy(settings.precision),
        },
    )
    run_folder.mkdir(parents=True, exist_ok=True)
    record.write(run_folder)
    tuned = tuned_values is not None
    dataclasses.replace(trained.answers, tuned=tuned).write(run_folder)
    (run_folder / CURVES_FILE).write_bytes(learning_curves.draw(record))
    for array in spool.glob('*.npy'):
        array.unlink()
    checkpoint_file.clear()


def checkpoint_key(
    inputs: NodeInputs,
    roles: ImageRoles,
    config: Mapping[str, Any],
    tuned_values: Mapping[str, Any] | None,
) -> str:
    """Of a training: all that it depends on.

    The places of its inputs say nothing of the images: they recur where an output folder is started
    anew.
    """
    parts = [
        inputs.classes,
        inputs.features.train.digest(),
        inputs.features.val.digest(),
        inputs.backbone.weights_digest,
        sorted(roles.clusters.items()),
        sorted(roles.folds.items()),
        dict(config),
        tuned_values,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
