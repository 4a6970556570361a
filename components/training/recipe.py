"""The recipe: fit a head on the frozen base, thaw the top of the base, keep the better weights.

Legible from top to bottom; knows nothing of TFX.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from components import backbones, progress
from components.backbones.features import Features
from components.errors import DataError
from components.section import seconds_of
from components.serving.rule import Rule
from components.training import (
    budget,
    checkpoint,
    dataset,
    decision,
    fine_tune,
    model,
    params,
    probe,
    scores,
    targets,
)
from components.training.features import FeatureSet
from components.training.state import Epoch

INTERPOLATIONS = (0.25, 0.5, 0.75)
_Set = TypeVar('_Set', FeatureSet, dataset.ImageSet)


@dataclasses.dataclass(frozen=True)
class Embedded:
    """What the frozen base made of the images.

    Attributes:
        kind: 'top' or 'blocks'; see `components.backbones.features`.
        train: fits the head.
        val: chooses the L2 strength, the epoch and between the two phases.
    """

    kind: Features
    train: FeatureSet
    val: FeatureSet


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained classifier and how it came about.

    Attributes:
        classifier: with the weights that are kept.
        rule: how its logits are answered.
        kept: 'probe', 'fine_tuned', or 'interpolated' (weights between both).
        record: JSON values for the run's record: scores, history, seconds of each phase.
    """

    classifier: model.Classifier
    rule: Rule
    kept: str
    record: dict[str, Any]


def known(data: _Set, split: str) -> _Set:
    """Drops images of classes that training never saw: they cannot be learnt or scored."""
    rows = np.flatnonzero(data.labels >= 0)
    if len(rows) == len(data):
        return data
    logging.warning('%d %s images have a class that train lacks', len(data) - len(rows), split)
    return data.take(rows)


def _check(classes: tuple[str, ...], train: FeatureSet, val: FeatureSet) -> None:
    for name, data in (('train', train), ('val', val)):
        if not len(data):
            raise DataError(f'the {name} split has no image; add images or raise its share')
    learnt = [name for label, name in enumerate(classes) if label in train.labels]
    if len(learnt) < 2:
        raise DataError(f'training needs two classes; the train split has only {learnt}')
    if absent := sorted(set(classes) - set(learnt)):
        raise DataError(f'the train split has no image of {absent}; add some or drop the class')


def _images_of(
    images: Callable[[], tuple[dataset.ImageSet, dataset.ImageSet]],
    train: FeatureSet,
    val: FeatureSet,
) -> tuple[dataset.ImageSet, dataset.ImageSet]:
    """Reads the images and makes sure that they are those of the embeddings, in their order."""
    read = images()
    train_images, val_images = known(read[0], 'train'), known(read[1], 'val')
    for name, one, other in (('train', train_images, train), ('val', val_images, val)):
        if not np.array_equal(one.ids, other.ids):
            raise DataError(
                f'the {name} images are not those of the embeddings; make both anew with: '
                'thawline run --no-cache'
            )
    return train_images, val_images


def _fit_probe(train: FeatureSet, val: FeatureSet, classes: int, weighting: str) -> probe.Probe:
    views = train.features.shape[1]
    labels = np.repeat(train.labels, views)
    each = targets.class_weights(train.labels, classes, weighting)
    fitted = probe.fit(
        train.features.reshape(len(labels), -1),
        labels,
        val.features[:, 0],
        val.labels,
        None if weighting == 'none' else each[labels],
    )
    progress.note(f'frozen base: val accuracy {fitted.val.accuracy:.3f}')
    return fitted


def train(
    backbone: backbones.Backbone,
    classes: tuple[str, ...],
    embedded: Embedded,
    images: Callable[[], tuple[dataset.ImageSet, dataset.ImageSet]],
    settings: params.Training,
    kept: checkpoint.Checkpoint,
    log: tf.summary.SummaryWriter,
) -> Trained:
    """Runs the recipe.

    Args:
        backbone: the pretrained base; its top blocks are changed in place.
        classes: names of the classes, in the order of the labels.
        embedded: features of the train and val images.
        images: gives the train and val images themselves; called for fine-tuning alone.
        settings: of the recipe.
        kept: keeps the state of an unfinished second phase.
        log: receives the curves for TensorBoard.

    Raises:
        ConfigError: the aim of the decision does not fit the classes.
        DataError: a split has no image of a known class, or train lacks a class or has only one.
        FloatingPointError: the training diverged.
    """
    deadline = budget.Deadline(seconds_of(settings.budget) if settings.budget else None)
    train_set, val_set = known(embedded.train, 'train'), known(embedded.val, 'val')
    _check(classes, train_set, val_set)
    decision.check(settings.decision, classes, val_set.labels)

    started = time.monotonic()
    progress.start('head on the frozen base')
    keras.utils.set_random_seed(settings.seed)
    tune = settings.fine_tune
    classifier = model.build(
        backbone,
        embedded.kind,
        len(classes),
        tune.dropout,
        settings.seed,
        updated_statistics=tune.batch_norm == 'updated',
    )
    backbones.set_trainable(backbone, 0, 'frozen')
    head = _fit_probe(train_set, val_set, len(classes), settings.class_weights)
    classifier.set_head(head.kernel, head.bias)
    record: dict[str, Any] = {
        'classes': list(classes),
        'images': {'train': len(train_set), 'val': len(val_set)},
        'probe': {
            'c': head.c,
            'train': dataclasses.asdict(head.train),
            'val': dataclasses.asdict(head.val),
        },
        'seconds': {'probe': time.monotonic() - started},
        'val': dataclasses.asdict(head.val),
        'kept': 'probe',
        'left_out': [],
    }
    _log(log, 0, head.train.accuracy, head.val)
    logits = head.logits(val_set.features[:, 0])
    if settings.mode == 'fine_tune':
        logits = _fine_tuned(
            classifier,
            lambda: _images_of(images, train_set, val_set),
            settings,
            kept,
            deadline,
            log,
            head,
            record,
            logits,
        )
    rule, record['decision'] = decision.decide(logits, val_set.labels, classes, settings.decision)
    return Trained(classifier, rule, record['kept'], record)


def _fine_tuned(
    classifier: model.Classifier,
    images: Callable[[], tuple[dataset.ImageSet, dataset.ImageSet]],
    settings: params.Training,
    kept: checkpoint.Checkpoint,
    deadline: budget.Deadline,
    log: tf.summary.SummaryWriter,
    head: probe.Probe,
    record: dict[str, Any],
    probe_logits: np.ndarray,
) -> np.ndarray:
    """The second phase and the choice after it; returns the val logits of the weights kept."""
    started = time.monotonic()
    progress.start('reading images')
    train_images, val_images = images()
    record['seconds']['read'] = time.monotonic() - started

    frozen = [np.array(variable) for variable in classifier.model.variables]
    started = time.monotonic()

    def on_epoch(epoch: Epoch) -> None:
        found = scores.Scores(epoch.val_accuracy, epoch.val_loss, len(val_images))
        _log(log, epoch.epoch, epoch.train_accuracy, found)

    tuned = fine_tune.run(classifier, train_images, val_images, settings, kept, on_epoch, deadline)
    record['seconds']['fine_tune'] = time.monotonic() - started
    if tuned is None:
        record['left_out'] = ['fine-tuning']
        return probe_logits
    record['left_out'] = tuned.left_out
    record['fine_tune'] = {
        'best_epoch': tuned.best_epoch,
        'blocks': tuned.plan.blocks,
        'epochs': tuned.plan.epochs,
        'val': dataclasses.asdict(tuned.val),
        'history': [dataclasses.asdict(epoch) for epoch in tuned.history],
    }
    record['kept'] = _keep_the_better(classifier, frozen, val_images, head.val, tuned.val, record)
    return classifier.predict(val_images.pixels)


def _keep_the_better(
    classifier: model.Classifier,
    frozen: list[np.ndarray],
    val_set: dataset.ImageSet,
    frozen_val: scores.Scores,
    tuned_val: scores.Scores,
    record: dict[str, Any],
) -> str:
    """Leaves the weights that are best on val in the model and returns what they are.

    Fine-tuning on little data can lose what the frozen base had, so it is shipped only when it is
    better. Weights on the line between both are often better than either (Wortsman et al., "Robust
    fine-tuning of zero-shot models", CVPR 2022), and cost a look at val each.
    """
    variables = classifier.model.variables
    tuned = [variable.numpy() for variable in variables]

    def put(share: float) -> None:
        """`share` of the way from the frozen base with its head to the fine-tuned model."""
        for variable, start, end in zip(variables, frozen, tuned, strict=True):
            floating = np.issubdtype(start.dtype, np.floating)
            between = start + share * (end - start) if floating and 0 < share < 1 else end
            variable.assign(start if share == 0 else between)

    reached = {0.0: frozen_val, 1.0: tuned_val}
    for share in INTERPOLATIONS:
        put(share)
        logits = classifier.predict(val_set.pixels)
        if np.isfinite(logits).all():
            reached[share] = scores.score(logits, val_set.labels)
    record['interpolation'] = {
        f'{share:g}': dataclasses.asdict(found) for share, found in sorted(reached.items())
    }
    best = 0.0
    for share, found in reached.items():
        if found.better_than(reached[best]):
            best = share
    put(best)
    record['val'] = dataclasses.asdict(reached[best])
    return {0.0: 'probe', 1.0: 'fine_tuned'}.get(best, 'interpolated')


def _log(
    log: tf.summary.SummaryWriter, epoch: int, train_accuracy: float, val: scores.Scores
) -> None:
    """One point of the TensorBoard curves; epoch 0 is the frozen base."""
    with log.as_default(step=epoch):
        tf.summary.scalar('accuracy/train', train_accuracy)
        tf.summary.scalar('accuracy/val', val.accuracy)
        tf.summary.scalar('loss/val', val.log_loss)
    log.flush()
