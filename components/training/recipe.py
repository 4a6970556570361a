"""The recipe: fit a head on the frozen base, thaw the top of the base, keep the better weights."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from thawline.components import backbones
from thawline.components.backbones import classifier as model
from thawline.components.backbones.features import Features
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.shared import percentages, progress
from thawline.components.shared.durations import duration
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.shared.splits import TRAIN, VAL
from thawline.components.training import (
    augmentation_choice,
    budget,
    decision_threshold,
    fine_tune,
    params,
    probe,
    refit,
    training_sets,
)
from thawline.components.training.checkpoint import CheckpointFile
from thawline.components.training.model_selection import ValPredictions
from thawline.components.training.record import (
    EpochRecord,
    FineTuneRecord,
    Kept,
    ProbeRecord,
    Scores,
    TrainingRecord,
)
from thawline.components.training.val_choices import ValChoices
from thawline.components.training.weight_interpolation import keep_best


@dataclasses.dataclass(frozen=True)
class FeatureSets:
    """Features of the images by the frozen base.

    Attributes:
        kind: 'top' or 'blocks'; see `components.backbones.features`.
        train: fits the head.
        val: chooses the L2 strength, the epoch, and between the two phases.
    """

    kind: Features
    train: LabelledSet
    val: LabelledSet


@dataclasses.dataclass(frozen=True)
class TrainedClassifier:
    """The outcome of the recipe.

    Attributes:
        classifier: with the weights that are kept.
        rule: turns its logits into an answer.
        record: of the training, but for what the recipe does not know: `base`, `tuned`,
            `environment`.
        val_logits: of the kept weights, in the order of the val features; float32 [N, C].
        choices: what parts of val would have kept instead.
        settings: of the recipe, with the augmentation that was found.
    """

    classifier: model.Classifier
    rule: Rule
    record: TrainingRecord
    val_logits: np.ndarray
    choices: ValChoices
    settings: params.Training


def _fit_probe(
    train: LabelledSet, val: LabelledSet, classes: int, settings: params.Training
) -> probe.Probe:
    fitted = probe.fit_sets(train, val, classes, settings)
    progress.note(f'frozen base: val accuracy {percentages.percent(fitted.val.accuracy)}')
    return fitted


def train(
    backbone: backbones.Backbone,
    classes: tuple[str, ...],
    features: FeatureSets,
    images: Callable[[], tuple[LabelledSet, LabelledSet]],
    settings: params.Training,
    checkpoint_file: CheckpointFile,
    log: tf.summary.SummaryWriter,
    spool: pathlib.Path | None = None,
    deadline: budget.Deadline | None = None,
    may_lack_classes: bool = False,
    built: model.Classifier | None = None,
) -> TrainedClassifier:
    """Runs the recipe.

    Args:
        backbone: the pretrained base; its top blocks are changed in place.
        classes: names of the classes, in the order of the labels.
        features: of the train and val images.
        images: reads the train and val images; called once, and only for fine-tuning or test-time
            augmentation.
        settings: of the recipe.
        checkpoint_file: of the second phase.
        log: receives the curves for TensorBoard.
        spool: folder for what is too large for memory; None: nothing is.
        deadline: of the Trainer; None: the budget of the settings begins now.
        may_lack_classes: whether train may have no image of a class, which is then not learned.
        built: a classifier on this base, as `refit.build` leaves it; None: a new one. What an
            earlier training of it compiled is not compiled again.

    Raises:
        ConfigError: the aim of the decision does not fit the classes.
        DataError: a split has no images of a known class, or train lacks a class or has only one.
        FloatingPointError: the training diverged.
    """
    deadline = deadline or budget.Deadline.of(settings.budget)
    train_set, val_set = training_sets.drop_unknown_classes(features.train, features.val)
    training_sets.check_classes(classes, train_set, val_set, may_lack_classes)
    decision = settings.decision
    if may_lack_classes and len(np.unique(val_set.labels)) < 2:
        decision = params.Decision()  # there is no threshold to choose
    decision_threshold.check(decision, classes, val_set.labels)

    started = time.monotonic()
    progress.start('head on the frozen base')
    keras.utils.set_random_seed(settings.seed)
    tune = settings.fine_tune
    classifier = built or refit.build(backbone, features.kind, len(classes), settings)
    backbones.set_trainable(backbone, 0, 'frozen')
    head = _fit_probe(train_set, val_set, len(classes), settings)
    classifier.set_head(head.kernel, head.bias)
    seconds = {'probe': time.monotonic() - started}
    record = TrainingRecord(
        classes=classes,
        images={TRAIN: len(train_set), VAL: len(val_set)},
        soft_labels=int((train_set.confidence < 1).sum()) if settings.soft_labels else 0,
        probe=ProbeRecord(head.c, head.train, head.val),
        val=head.val,
    )
    _log_scalars(log, 0, head.train.accuracy, head.val)
    predictions = ValPredictions(head.logits(val_set.values[:, 0]), head.val)
    choices = ValChoices(head.val_path)
    views = settings.test_time_augmentation
    thaws, cost = settings.mode == 'fine_tune', None
    if thaws and deadline.seconds is not None:
        progress.note('timing a forward pass')
        cost = budget.estimate_cost(classifier, len(train_set), len(val_set), views, deadline)
        try:
            budget.guess_blocks(deadline, tune.epochs, cost.blocks, cost)
        except budget.TooShort as error:
            thaws, record = False, _without_fine_tuning(record, error)
    if thaws or views != 'none':
        started = time.monotonic()
        progress.start('reading images')
        train_images, val_images = training_sets.read_images(images, train_set, val_set)
        seconds['read'] = time.monotonic() - started
    if thaws:
        started = time.monotonic()
        settings, augmentation = augmentation_choice.resolve(
            settings, classifier.predict, predictions.logits, val_images
        )
        seconds['augmentation'] = time.monotonic() - started

        def on_epoch(epoch: EpochRecord) -> None:
            val = Scores(epoch.val_accuracy, epoch.val_loss, len(val_images))
            _log_scalars(log, epoch.epoch, epoch.train_accuracy, val)

        def thaw() -> fine_tune.FineTuning:
            started = time.monotonic()
            tuned = fine_tune.run(
                classifier,
                train_images,
                val_images,
                settings,
                checkpoint_file,
                on_epoch,
                deadline,
                cost,
                spool,
            )
            seconds['fine_tune'] = time.monotonic() - started
            return tuned

        predictions, record, choices = _run_fine_tuning(
            classifier, thaw, predictions, val_images.labels, record, choices
        )
        if record.fine_tune:  # otherwise no image was augmented
            record = dataclasses.replace(record, augmentation=augmentation)
    if views != 'none':
        classifier = dataclasses.replace(classifier, views=views)
        predictions = ValPredictions.score(classifier.predict(val_images.values), val_images.labels)
        record = dataclasses.replace(
            record, val=predictions.val, without_test_time_augmentation=record.val
        )
        choices = dataclasses.replace(choices, averaged=predictions.logits)
    rule, decided = decision_threshold.decide(predictions.logits, val_set.labels, classes, decision)
    record = dataclasses.replace(record, seconds=seconds, decision=decided)
    choices = dataclasses.replace(choices, patience=tune.patience)
    return TrainedClassifier(classifier, rule, record, predictions.logits, choices, settings)


def _without_fine_tuning(record: TrainingRecord, error: budget.TooShort) -> TrainingRecord:
    left_out = f'fine-tuning, which needs about {duration(error.needed)}'
    progress.note(f'the budget has no room for {left_out}')
    return dataclasses.replace(record, left_out=(left_out,))


def _run_fine_tuning(
    classifier: model.Classifier,
    thaw: Callable[[], fine_tune.FineTuning],
    probed: ValPredictions,
    labels: np.ndarray,
    record: TrainingRecord,
    choices: ValChoices,
) -> tuple[ValPredictions, TrainingRecord, ValChoices]:
    """Runs the second phase, and puts the best weights of both into the classifier.

    Args:
        classifier: with the head of the first phase.
        thaw: runs the second phase on it.
        probed: predictions of the first phase.
        labels: of val.
        record, choices: of the first phase.

    Returns:
        Predictions of the kept weights, and record and choices of both phases.
    """
    frozen = [np.array(variable) for variable in classifier.model.variables]
    try:
        tuned = thaw()
    except budget.TooShort as error:
        return probed, _without_fine_tuning(record, error), choices
    kept = keep_best(classifier.model, (frozen, probed), tuned.best, tuned.predict_val, labels)
    ends: dict[float, Kept] = {0.0: 'probe', 1.0: 'fine_tuned'}
    record = dataclasses.replace(
        record,
        val=kept.best.val,
        kept=ends.get(kept.share, 'interpolated'),
        left_out=tuned.left_out,
        fine_tune=FineTuneRecord(
            tuned.best_epoch, tuned.plan.blocks, tuned.plan.epochs, tuned.best.val, tuned.history
        ),
        interpolation={f'{at:g}': scored for at, scored in kept.candidates.items()},
        share=kept.share,
    )
    between = {at: each.logits for at, each in kept.predictions.items() if 0 < at < 1}
    choices = dataclasses.replace(
        choices, epochs=tuned.logits, best_epoch=tuned.best_epoch, between=between
    )
    return kept.best, record, choices


def _log_scalars(
    log: tf.summary.SummaryWriter, epoch: int, train_accuracy: float, val: Scores
) -> None:
    """Adds a point to the TensorBoard curves; epoch 0 is the frozen base."""
    with log.as_default(step=epoch):
        tf.summary.scalar('accuracy/train', train_accuracy)
        tf.summary.scalar('accuracy/val', val.accuracy)
        tf.summary.scalar('loss/val', val.log_loss)
    log.flush()
