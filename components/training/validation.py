"""Trains by the recipe, and has every image that judges answered by what has not seen it.

With a plain split, val judges; with folds, every image does. What ships is fitted to all of them
(`refit`).
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from thawline.components import backbones
from thawline.components.backbones import classifier as model
from thawline.components.shared import labelled_set, progress
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.shared.percentages import percent
from thawline.components.shared.splits import TRAIN
from thawline.components.training import (
    budget,
    cross_fitting,
    decision_threshold,
    fold_training,
    held_out,
    params,
    recipe,
    refit,
    scores,
    training_sets,
)
from thawline.components.training.best_epoch import Snapshot
from thawline.components.training.checkpoint import CheckpointFile
from thawline.components.training.fold_turn import FoldSets
from thawline.components.training.record import ProbeRecord, TrainingRecord, ValidationRecord
from thawline.components.training.validated_classifier import ValidatedClassifier

# With more of them, fine-tuning twice costs much, and val images add little to what train has.
REFITTED_IMAGES = 2000


@dataclasses.dataclass(frozen=True)
class ImageRoles:
    """What ingestion says of the images, by their ids.

    Attributes:
        clusters: image id -> cluster; an image that is missing is one of its own.
        folds: image id -> fold; empty with a plain split.
    """

    clusters: Mapping[bytes, str] = dataclasses.field(default_factory=dict)
    folds: Mapping[bytes, int] = dataclasses.field(default_factory=dict)

    def clusters_of(self, ids: np.ndarray) -> np.ndarray:
        """The cluster of each image: str [N]."""
        return np.array([self.clusters.get(i, i.decode()) for i in ids], str)

    def folds_of(self, ids: np.ndarray) -> np.ndarray:
        """The fold of each image: int64 [N]."""
        return np.array([self.folds[i] for i in ids], np.int64)


def train(
    backbone: backbones.Backbone,
    classes: tuple[str, ...],
    features: recipe.FeatureSets,
    images: Callable[[], tuple[LabelledSet, LabelledSet]],
    settings: params.Training,
    roles: ImageRoles,
    checkpoint_file: CheckpointFile,
    log: tf.summary.SummaryWriter,
    spool: pathlib.Path | None = None,
    deadline: budget.Deadline | None = None,
) -> ValidatedClassifier:
    """Trains and validates as the images say: by their folds, or by the split.

    The arguments are those of `recipe.train`; with folds, train and val are all of them together.

    Raises:
        ConfigError, DataError, FloatingPointError: as `recipe.train`, or there are too few folds.
    """
    deadline = deadline or budget.Deadline.of(settings.budget)
    place = checkpoint_file, log, spool, deadline
    if not roles.folds:
        classifier = refit.build(backbone, features.kind, len(classes), settings)
        start = Snapshot(classifier.model.variables)
        images = functools.cache(images)
        trained = recipe.train(
            backbone, classes, features, images, settings, *place, built=classifier
        )
        validated = _judge_split(trained, classes, features, settings, roles)
        choice = _choose_refit(validated.record, settings, deadline)
        if choice is None:
            return validated
        start.restore()
        sources = features, images
        return _refit_split(validated, trained.settings, classifier, sources, choice, spool)
    train_set, val_set = training_sets.drop_unknown_classes(features.train, features.val)
    everything = labelled_set.join(train_set, val_set)
    training_sets.check_classes(classes, everything, val_set)
    decision_threshold.check(settings.decision, classes, everything.labels)
    fold = roles.folds_of(everything.ids)
    if settings.mode == 'probe' and settings.test_time_augmentation == 'none':
        return _probe_by_folds(backbone, classes, features.kind, everything, fold, settings)

    def all_images() -> LabelledSet:
        return labelled_set.join(*training_sets.drop_unknown_classes(*images()))

    sets = FoldSets(features.kind, everything, fold, all_images)
    return fold_training.train(backbone, classes, sets, settings, *place)


def _judge_split(
    trained: recipe.TrainedClassifier,
    classes: tuple[str, ...],
    features: recipe.FeatureSets,
    settings: params.Training,
    roles: ImageRoles,
) -> ValidatedClassifier:
    """Judges val apart from its own choices."""
    _, val_set = training_sets.drop_unknown_classes(features.train, features.val)
    labels = val_set.labels
    parts = cross_fitting.parts_of_val(labels, roles.clusters_of(val_set.ids))
    answers = held_out.choose_apart(
        val_set.ids, labels, parts, trained.choices.by, classes, settings.decision
    )
    judged = held_out.score(answers, labels)
    note_judged(judged.accuracy, judged.n)
    record = dataclasses.replace(trained.record, validation=ValidationRecord('split', judged))
    return ValidatedClassifier(trained.classifier, trained.rule, record, answers)


def _choose_refit(
    record: TrainingRecord, settings: params.Training, deadline: budget.Deadline
) -> refit.Choice | None:
    """What is to be fitted to train and val; None where what was judged ships."""
    if settings.refit == 'never':
        return None
    if record.kept == 'probe' or record.fine_tune is None:
        return refit.Choice(record.probe.c)
    tuned, images = record.fine_tune, sum(record.images.values())
    if images > REFITTED_IMAGES:
        return None
    more = images / record.images[TRAIN] * tuned.best_epoch / len(tuned.history)
    if deadline.remaining is not None and more * record.seconds['fine_tune'] > deadline.remaining:
        return None
    return refit.Choice(record.probe.c, tuned.best_epoch, tuned.epochs, tuned.blocks, record.share)


def _refit_split(
    validated: ValidatedClassifier,
    settings: params.Training,
    classifier: model.Classifier,
    sources: tuple[recipe.FeatureSets, Callable[[], tuple[LabelledSet, LabelledSet]]],
    choice: refit.Choice,
    spool: pathlib.Path | None,
) -> ValidatedClassifier:
    """Fits what was chosen to train and val; the classifier is as it was before the training."""
    features, images = sources
    sets = training_sets.drop_unknown_classes(features.train, features.val)
    everything, pixels = labelled_set.join(*sets), None
    if choice.best_epoch:
        pixels = labelled_set.join(*training_sets.read_images(images, *sets))
    record = validated.record
    refitted, _ = refit.fit(classifier, (everything, pixels), settings, choice, spool)
    assert record.validation
    validation = dataclasses.replace(record.validation, refitted=len(everything))
    record = dataclasses.replace(record, validation=validation)
    return dataclasses.replace(validated, classifier=refitted, record=record)


def _probe_by_folds(
    backbone: backbones.Backbone,
    classes: tuple[str, ...],
    kind: backbones.features.Features,
    features: LabelledSet,
    fold: np.ndarray,
    settings: params.Training,
) -> ValidatedClassifier:
    """The first phase alone: all folds in seconds, from features."""
    fitted = cross_fitting.fit_probe(features, fold, classes, settings)
    classifier = refit.build(backbone, kind, len(classes), settings)
    classifier.set_head(fitted.head.kernel, fitted.head.bias)
    labels = features.labels
    rows = np.flatnonzero(fitted.learnt)
    rule, decision = decision_threshold.decide(
        fitted.choosing[rows], labels[rows], classes, settings.decision
    )
    chosen = scores.score(fitted.choosing[rows], labels[rows])
    own = scores.score(fitted.head.logits(features.values[:, 0]), labels)
    judged = held_out.score(fitted.answers, labels)
    note_judged(judged.accuracy, judged.n)
    record = TrainingRecord(
        classes=classes,
        images={'train': len(features), 'val': len(features)},
        soft_labels=int((features.confidence < 1).sum()) if settings.soft_labels else 0,
        probe=ProbeRecord(fitted.head.c, own, chosen),
        val=chosen,
        decision=decision,
        validation=ValidationRecord('folds', judged, fitted.folds, len(features)),
    )
    return ValidatedClassifier(classifier, rule, record, fitted.answers)


def note_judged(accuracy: float, images: int) -> None:
    """Says how well the images that judge were answered."""
    progress.note(f'{percent(accuracy)} of {images:,} images right that were held out')
