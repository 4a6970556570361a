"""The recipe run whole on the tiny base, as the tests of it need it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tests.components.training import tiny
from thawline.components.backbones import backbone as backbone_lib
from thawline.components.backbones.features import Features
from thawline.components.backbones.params import Views
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import checkpoint, params, recipe
from thawline.components.training.record import TrainingRecord

NAMES = ('cat', 'dog', 'owl', 'yak')
Images = tuple[LabelledSet, LabelledSet]


def train(
    folder: pathlib.Path,
    base: backbone_lib.Backbone | None = None,
    train_set: LabelledSet | None = None,
    val_set: LabelledSet | None = None,
    classes: int = 2,
    augmentation: params.AugmentationName = 'light',
    mode: Literal['fine_tune', 'probe'] = 'fine_tune',
    budget: str | None = None,
    class_weights: Literal['none', 'balanced'] = 'none',
    soft_labels: bool = True,
    kind: Features = 'top',
    images: Callable[[], Images] | None = None,
    views: Views = 'none',
    **tune: Any,
) -> recipe.TrainedClassifier:
    settings = params.Training(
        mode=mode,
        budget=budget,
        batch_size=8,
        augmentation=augmentation,
        class_weights=class_weights,
        soft_labels=soft_labels,
        test_time_augmentation=views,
        fine_tune=params.FineTune(**tune),
    )
    base = base or tiny.backbone()
    train_set = tiny.images(32, classes) if train_set is None else train_set
    val_set = tiny.images(24, classes, seed=1) if val_set is None else val_set
    log = tf.summary.create_file_writer(str(folder / 'tensorboard'))
    trained = recipe.train(
        base,
        NAMES[:classes],
        tiny.embedded(base, train_set, val_set, settings.views_augmentation, kind),
        images or (lambda: (train_set, val_set)),
        settings,
        checkpoint.CheckpointFile(folder / 'state', 'key'),
        log,
    )
    log.close()
    return trained


def weights(trained: recipe.TrainedClassifier) -> list[np.ndarray]:
    return [np.array(w) for w in trained.classifier.model.get_weights()]


def assert_equal(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def without_seconds(record: TrainingRecord) -> TrainingRecord:
    """A record without what the clock said."""
    tuned = record.fine_tune
    if tuned is not None:
        history = tuple(dataclasses.replace(epoch, seconds=0.0) for epoch in tuned.history)
        tuned = dataclasses.replace(tuned, history=history)
    return dataclasses.replace(record, seconds={}, fine_tune=tuned)
