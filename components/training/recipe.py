"""The recipe: fit a head on the frozen base, thaw the top of the base, keep the better weights.

Legible from top to bottom; knows nothing of TFX.
"""

from __future__ import annotations

import dataclasses
import logging
import pathlib
import time
from collections.abc import Callable
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from thawline.components import backbones
from thawline.components.backbones import classifier as model
from thawline.components.backbones.features import Features
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.shared import percentages, progress
from thawline.components.shared.errors import DataError
from thawline.components.shared.settings import seconds_of
from thawline.components.training import (
    augmentation_choice,
    budget,
    checkpoint,
    decision_threshold,
    fine_tune,
    image_set,
    params,
    probe,
    scores,
    targets,
)
from thawline.components.training.best_epoch import EpochRecord
from thawline.components.training.feature_set import FeatureSet
from thawline.components.training.model_selection import ValPredictions
from thawline.components.training.weight_interpolation import keep_best

_Set = TypeVar('_Set', FeatureSet, image_set.ImageSet)


@dataclasses.dataclass(frozen=True)
class FeatureSets:
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
class TrainedClassifier:
    """A trained classifier and how it came about.

    Attributes:
        classifier: with the weights that are kept.
        rule: how its logits are answered.
        kept: 'probe', 'fine_tuned', or 'interpolated' (weights between both).
        record: JSON values for the run's record: scores, history, seconds of each phase.
        val_logits: of the kept weights, in the order of the val features; float32 [N, C].
    """

    classifier: model.Classifier
    rule: Rule
    kept: str
    record: dict[str, Any]
    val_logits: np.ndarray


def drop_unknown_classes(data: _Set, split: str) -> _Set:
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
    images: Callable[[], tuple[image_set.ImageSet, image_set.ImageSet]],
    train: FeatureSet,
    val: FeatureSet,
) -> tuple[image_set.ImageSet, image_set.ImageSet]:
    """Reads the images and makes sure that they are those of the embeddings, in their order."""
    read = images()
    train_images, val_images = (
        drop_unknown_classes(read[0], 'train'),
        drop_unknown_classes(read[1], 'val'),
    )
    for name, one, other in (('train', train_images, train), ('val', val_images, val)):
        if not np.array_equal(one.ids, other.ids):
            raise DataError(
                f'the {name} images are not those of the embeddings; make both anew with: '
                'thawline run --no-cache'
            )
    return train_images, val_images


def _fit_probe(
    train: FeatureSet, val: FeatureSet, classes: int, weighting: str, soft: bool
) -> probe.Probe:
    views = train.features.shape[1]
    labels = np.repeat(train.labels, views)
    each = targets.class_weights(train.labels, classes, weighting)
    fitted = probe.fit(
        train.features.reshape(len(labels), -1),
        labels,
        val.features[:, 0],
        val.labels,
        None if weighting == 'none' else each[labels],
        np.repeat(train.confidence, views) if soft else None,
    )
    progress.note(f'frozen base: val accuracy {percentages.percent(fitted.val.accuracy)}')
    return fitted


def train(
    backbone: backbones.Backbone,
    classes: tuple[str, ...],
    embedded: FeatureSets,
    images: Callable[[], tuple[image_set.ImageSet, image_set.ImageSet]],
    settings: params.Training,
    kept: checkpoint.CheckpointFile,
    log: tf.summary.SummaryWriter,
    spool: pathlib.Path | None = None,
) -> TrainedClassifier:
    """Runs the recipe.

    Args:
        backbone: the pretrained base; its top blocks are changed in place.
        classes: names of the classes, in the order of the labels.
        embedded: features of the train and val images.
        images: gives the train and val images themselves; called once, for fine-tuning or
            test-time augmentation alone.
        settings: of the recipe.
        kept: keeps the state of an unfinished second phase.
        log: receives the curves for TensorBoard.
        spool: folder for what is too large for memory; None: nothing is.

    Raises:
        ConfigError: the aim of the decision does not fit the classes.
        DataError: a split has no image of a known class, or train lacks a class or has only one.
        FloatingPointError: the training diverged.
    """
    deadline = budget.Deadline(seconds_of(settings.budget) if settings.budget else None)
    train_set, val_set = (
        drop_unknown_classes(embedded.train, 'train'),
        drop_unknown_classes(embedded.val, 'val'),
    )
    _check(classes, train_set, val_set)
    decision_threshold.check(settings.decision, classes, val_set.labels)

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
    soft = settings.soft_labels
    head = _fit_probe(train_set, val_set, len(classes), settings.class_weights, soft)
    classifier.set_head(head.kernel, head.bias)
    record: dict[str, Any] = {
        'classes': list(classes),
        'images': {'train': len(train_set), 'val': len(val_set)},
        'soft_labels': int((train_set.confidence < 1).sum()) if soft else 0,
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
    chosen = ValPredictions(head.logits(val_set.features[:, 0]), head.val)
    views = settings.test_time_augmentation
    if settings.mode == 'fine_tune' or views != 'none':
        started = time.monotonic()
        progress.start('reading images')
        train_images, val_images = _images_of(images, train_set, val_set)
        record['seconds']['read'] = time.monotonic() - started
    if settings.mode == 'fine_tune':
        started = time.monotonic()
        settings, settled = augmentation_choice.resolve(
            settings, classifier.predict, chosen.logits, val_images
        )
        record['seconds']['augmentation'] = time.monotonic() - started

        def on_epoch(epoch: EpochRecord) -> None:
            found = scores.Scores(epoch.val_accuracy, epoch.val_loss, len(val_images))
            _log(log, epoch.epoch, epoch.train_accuracy, found)

        def thaw() -> fine_tune.FineTuning | None:
            return fine_tune.run(
                classifier, train_images, val_images, settings, kept, on_epoch, deadline, spool
            )

        chosen = _fine_tuned(classifier, thaw, chosen, val_images.labels, record)
        if 'fine_tune' in record:  # else it changed no image
            record['augmentation'] = settled
    if views != 'none':
        classifier = dataclasses.replace(classifier, views=views)
        record['without_test_time_augmentation'] = record['val']
        chosen = ValPredictions.score(classifier.predict(val_images.pixels), val_images.labels)
        record['val'] = dataclasses.asdict(chosen.val)
    rule, record['decision'] = decision_threshold.decide(
        chosen.logits, val_set.labels, classes, settings.decision
    )
    return TrainedClassifier(classifier, rule, record['kept'], record, chosen.logits)


def _fine_tuned(
    classifier: model.Classifier,
    thaw: Callable[[], fine_tune.FineTuning | None],
    probed: ValPredictions,
    labels: np.ndarray,
    record: dict[str, Any],
) -> ValPredictions:
    """The second phase and the choice after it.

    Args:
        classifier: with the head of the first phase.
        thaw: runs the second phase on it.
        probed: what the first phase makes of val.
        labels: of val.
        record: of the training; is told of both.

    Returns:
        What the kept weights make of val.
    """
    frozen = [np.array(variable) for variable in classifier.model.variables]
    started = time.monotonic()
    tuned = thaw()
    record['seconds']['fine_tune'] = time.monotonic() - started
    if tuned is None:
        record['left_out'] = ['fine-tuning']
        return probed
    record['left_out'] = tuned.left_out
    record['fine_tune'] = {
        'best_epoch': tuned.best_epoch,
        'blocks': tuned.plan.blocks,
        'epochs': tuned.plan.epochs,
        'val': dataclasses.asdict(tuned.best.val),
        'history': [dataclasses.asdict(epoch) for epoch in tuned.history],
    }
    seen, share, candidates = keep_best(
        classifier.model, (frozen, probed), tuned.best, tuned.predict_val, labels
    )
    record['interpolation'] = {
        f'{at:g}': {**dataclasses.asdict(one.val), 'calibrated_log_loss': one.calibrated_log_loss}
        for at, one in candidates.items()
    }
    record['val'] = dataclasses.asdict(seen.val)
    record['kept'] = {0.0: 'probe', 1.0: 'fine_tuned'}.get(share, 'interpolated')
    return seen


def _log(
    log: tf.summary.SummaryWriter, epoch: int, train_accuracy: float, val: scores.Scores
) -> None:
    """One point of the TensorBoard curves; epoch 0 is the frozen base."""
    with log.as_default(step=epoch):
        tf.summary.scalar('accuracy/train', train_accuracy)
        tf.summary.scalar('accuracy/val', val.accuracy)
        tf.summary.scalar('loss/val', val.log_loss)
    log.flush()
