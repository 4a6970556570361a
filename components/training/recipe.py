"""The recipe: fit a head on the frozen base, thaw the top of the base, keep the better weights.

Legible from top to bottom; knows nothing of TFX.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components import backbones, progress
from components.errors import DataError
from components.training import (
    augmentation,
    checkpoint,
    dataset,
    fine_tune,
    model,
    params,
    probe,
    scores,
)

INTERPOLATIONS = (0.25, 0.5, 0.75)


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained classifier and how it came about.

    Attributes:
        classifier: with the weights that are kept.
        kept: 'probe', 'fine_tuned', or 'interpolated' (weights between both).
        record: JSON values for the run's record: scores, history, seconds of each phase.
    """

    classifier: model.Classifier
    kept: str
    record: dict[str, Any]


def _known(data: dataset.ImageSet, split: str) -> dataset.ImageSet:
    """Drops images of classes that training never saw: they cannot be learnt or scored."""
    rows = np.flatnonzero(data.labels >= 0)
    if len(rows) == len(data):
        return data
    logging.warning('%d %s images have a class that train lacks', len(data) - len(rows), split)
    return data.take(rows)


def _fit_probe(
    classifier: model.Classifier,
    train: dataset.ImageSet,
    val: dataset.ImageSet,
    settings: params.Training,
) -> probe.Probe:
    side = train.pixels.shape[1]
    pooled = tf.function(
        classifier.pooled, input_signature=[tf.TensorSpec([None, side, side, 3], tf.float32)]
    )
    policy, plain = augmentation.POLICIES[settings.augmentation], augmentation.POLICIES['none']
    views = 0 if policy.is_identity else settings.head.augmented_views
    progress.start('images through the frozen base', len(train) * (1 + views) + len(val))
    features = [probe.pooled_features(pooled, train, plain, settings.seed, 0)]
    for view in range(1, views + 1):
        features.append(probe.pooled_features(pooled, train, policy, settings.seed, view))
    val_features = probe.pooled_features(pooled, val, plain, settings.seed, 0)
    fitted = probe.fit(
        np.concatenate(features), np.tile(train.labels, 1 + views), val_features, val.labels
    )
    progress.note(f'frozen base: val accuracy {fitted.val.accuracy:.3f}')
    return fitted


def train(
    backbone: backbones.Backbone,
    classes: tuple[str, ...],
    train_set: dataset.ImageSet,
    val_set: dataset.ImageSet,
    settings: params.Training,
    kept: checkpoint.Checkpoint,
    log: tf.summary.SummaryWriter,
) -> Trained:
    """Runs the recipe.

    Args:
        backbone: the pretrained base; its top blocks are changed in place.
        classes: names of the classes, in the order of the labels.
        train_set: fits weights.
        val_set: chooses the L2 strength, the epoch and between the two phases.
        settings: of the recipe.
        kept: keeps the state of an unfinished second phase.
        log: receives the curves for TensorBoard.

    Raises:
        DataError: a split has no image of a known class, or train lacks a class or has only one.
        FloatingPointError: the training diverged.
    """
    train_set, val_set = _known(train_set, 'train'), _known(val_set, 'val')
    for name, data in (('train', train_set), ('val', val_set)):
        if not len(data):
            raise DataError(f'the {name} split has no image; add images or raise its share')
    learnt = [name for label, name in enumerate(classes) if label in train_set.labels]
    if len(learnt) < 2:
        raise DataError(f'training needs two classes; the train split has only {learnt}')
    if absent := sorted(set(classes) - set(learnt)):
        raise DataError(f'the train split has no image of {absent}; add some or drop the class')

    keras.utils.set_random_seed(settings.seed)
    classifier = model.build(backbone, len(classes), settings.fine_tune.dropout, settings.seed)
    backbones.set_trainable(backbone, 0, settings.fine_tune.batch_norm)

    started = time.monotonic()
    head = _fit_probe(classifier, train_set, val_set, settings)
    classifier.set_head(head.kernel, head.bias)
    seconds = {'probe': time.monotonic() - started}
    record: dict[str, Any] = {
        'classes': list(classes),
        'images': {'train': len(train_set), 'val': len(val_set)},
        'probe': {
            'c': head.c,
            'train': dataclasses.asdict(head.train),
            'val': dataclasses.asdict(head.val),
        },
        'seconds': seconds,
        'val': dataclasses.asdict(head.val),
        'kept': 'probe',
    }
    _log(log, 0, head.train.accuracy, head.val)
    if not settings.fine_tune.enabled:
        return Trained(classifier, 'probe', record)

    frozen = [variable.numpy() for variable in classifier.model.variables]
    started = time.monotonic()
    tuned = fine_tune.run(
        classifier,
        train_set,
        val_set,
        settings,
        kept,
        lambda epoch: _log(
            log,
            epoch.epoch,
            epoch.train_accuracy,
            scores.Scores(epoch.val_accuracy, epoch.val_loss, len(val_set)),
        ),
    )
    seconds['fine_tune'] = time.monotonic() - started
    record['fine_tune'] = {
        'best_epoch': tuned.best_epoch,
        'val': dataclasses.asdict(tuned.val),
        'history': [dataclasses.asdict(epoch) for epoch in tuned.history],
    }
    record['kept'] = _keep_the_better(classifier, frozen, val_set, head.val, tuned.val, record)
    return Trained(classifier, record['kept'], record)


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
