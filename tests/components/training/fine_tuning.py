"""Fine-tuning of the tiny base, as the tests of it and of its state run it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from tests.components.training import tiny
from thawline.components.backbones import classifier as model
from thawline.components.shared import progress
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import budget, checkpoint, fine_tune, params
from thawline.components.training.record import EpochRecord

WHAT = 'fine-tuning steps'


class Killed(BaseException):
    """What ends a training in the middle; no handler of ordinary errors may catch it."""


def settings(
    batch_size: int = 8,
    augmentation: params.AugmentationName = 'light',
    class_weights: Any = 'none',
    precision: Any = 'float32',
    **tune: Any,
) -> params.Training:
    # Said in full: what is tested must not change with the defaults.
    base: dict[str, Any] = {
        'epochs': 2,
        'blocks': 2,
        'stages': 1,
        'learning_rate': 1e-2,
        'block_decay': 0.8,
        'warmup': 0.1,
        'weight_decay': 1e-4,
        'dropout': 0.2,
        'label_smoothing': 0.1,
        'mix': 'none',
        'average': 0.0,
        'patience': 10,
        'batch_norm': 'affine',
    }
    return params.Training(
        seed=0,
        batch_size=batch_size,
        augmentation=augmentation,
        class_weights=class_weights,
        precision=precision,
        fine_tune=params.FineTune(**{**base, **tune}),
    )


def nothing(epoch: EpochRecord) -> None:
    del epoch


def classifier(chosen: params.Training, seed: int = 0, side: int = tiny.SIDE) -> model.Classifier:
    """The tiny base with a random head, as the recipe builds it for these settings."""
    tune, base = chosen.fine_tune, tiny.backbone(seed, side)
    for layer in base.model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # at 0, updated statistics would be those of the last batch alone
    return model.build(base, 'top', 2, tune.dropout, seed, tune.batch_norm == 'updated')


def run(
    one: model.Classifier,
    folder: pathlib.Path,
    chosen: params.Training,
    train: LabelledSet | None = None,
    val: LabelledSet | None = None,
    on_epoch: Callable[[EpochRecord], None] = nothing,
    deadline: budget.Deadline | None = None,
) -> fine_tune.FineTuning:
    """Fine-tunes on 24 images unless others are given, with its state in `folder`."""
    train = tiny.images(24) if train is None else train
    val = tiny.images(16, seed=1) if val is None else val
    cost = None
    if deadline is not None:
        cost = budget.estimate_cost(one, len(train), len(val), 'none', deadline)
    return fine_tune.run(
        one,
        train,
        val,
        chosen,
        checkpoint.CheckpointFile(folder, 'key'),
        on_epoch,
        deadline,
        cost,
    )


def timeless(tuned: fine_tune.FineTuning) -> fine_tune.FineTuning:
    """Without what the clock said."""
    return dataclasses.replace(
        tuned,
        history=tuple(dataclasses.replace(epoch, seconds=0.0) for epoch in tuned.history),
        plan=dataclasses.replace(tuned.plan, epoch_seconds=None),
    )


def weights(one: model.Classifier) -> list[np.ndarray]:
    """Of all layers, copied."""
    return [np.array(value) for value in one.model.get_weights()]


def assert_equal(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


class Steps:
    """Calls `look` after each step of training, and keeps what it gives."""

    def __init__(self, look: Callable[[], Any]) -> None:
        self._look = look
        self.seen: list[Any] = []

    def __call__(self, now: progress.Progress) -> None:
        if now.what == WHAT and now.done == len(self.seen) + 1:
            self.seen.append(self._look())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.seen)
