"""After the choice: what was chosen is fitted anew to all images, those that chose and judged too.

With few images each of them counts: what ships learns from all. It is judged by the answers of
weights that had not seen what they answered, which learned from fewer images.
"""

from __future__ import annotations

import dataclasses
import pathlib

import keras
import numpy as np

from thawline.components import backbones
from thawline.components.backbones import classifier as model
from thawline.components.backbones.features import Features
from thawline.components.shared import progress
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import params, probe, weight_interpolation
from thawline.components.training.epoch_trainer import EpochTrainer


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a training chose.

    Attributes:
        c: inverse L2 strength of the probe.
        best_epoch: of fine-tuning; 0: what is kept is the probe.
        epochs, blocks: that were planned; the rate falls as if all epochs were to come.
        share: of the fine-tuned weights, the rest is that of the frozen base.
    """

    c: float
    best_epoch: int = 0
    epochs: int = 0
    blocks: int = 0
    share: float = 0.0


def fit(
    classifier: model.Classifier,
    sets: tuple[LabelledSet, LabelledSet | None],
    settings: params.Training,
    choice: Choice,
    spool: pathlib.Path | None = None,
) -> tuple[model.Classifier, probe.Head]:
    """Fits what was chosen to all images.

    Args:
        classifier: as `build` leaves it; changed in place.
        sets: features of all images, and the images; None where nothing is to be fine-tuned.
        settings: of the recipe, the augmentation resolved.
        choice: what was chosen.
        spool: folder for what is too large for memory.

    Returns:
        What ships, and the head on the frozen base that it began with.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    features, images = sets
    keras.utils.set_random_seed(settings.seed)
    backbones.set_trainable(classifier.backbone, 0, 'frozen')
    head = fit_head(features, classifier.head.units, settings, choice.c)
    classifier.set_head(head.kernel, head.bias)
    if choice.best_epoch and images is not None:
        thaw(classifier, images, settings, choice, spool)
    return dataclasses.replace(classifier, views=settings.test_time_augmentation), head


def build(
    backbone: backbones.Backbone,
    features: Features,
    classes: int,
    settings: params.Training,
) -> model.Classifier:
    """A frozen base with a random head, as the recipe begins with."""
    tune = settings.fine_tune
    classifier = model.build(
        backbone,
        features,
        classes,
        tune.dropout,
        settings.seed,
        updated_statistics=tune.batch_norm == 'updated',
    )
    backbones.set_trainable(backbone, 0, 'frozen')
    return classifier


def fit_head(
    features: LabelledSet, classes: int, settings: params.Training, c: float
) -> probe.Head:
    """The head of this strength on these images, all their views."""
    strengths = probe.L2_PATH[: probe.L2_PATH.index(c) + 1]
    *_, head = probe.path_of(features, classes, settings, strengths)
    return head


def thaw(
    classifier: model.Classifier,
    images: LabelledSet,
    settings: params.Training,
    choice: Choice,
    spool: pathlib.Path | None,
) -> None:
    """Fine-tunes as the choice says, without val: nothing is left to choose.

    Args:
        classifier: with the head of `fit_head` on the base as it was before any training.
        images: all of them.
        settings: of the recipe, the augmentation resolved.
        choice: with an epoch.
        spool: folder for what is too large for memory.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    before = [np.array(variable) for variable in classifier.model.variables]
    trainer = EpochTrainer(classifier, images, images.take(np.arange(0)), settings, spool)
    trainer.prepare(choice.blocks)
    total = choice.epochs * trainer.steps
    progress.start('fine-tuning steps on all images', choice.best_epoch * trainer.steps)
    for number in range(1, choice.best_epoch + 1):
        losses, _, _ = trainer.train(number, total)
        if not np.isfinite(losses):
            raise FloatingPointError(
                f'the training on all images diverged in epoch {number} (loss {losses:g}); '
                f'lower training.fine_tune.learning_rate (now {settings.fine_tune.learning_rate:g})'
            )
    if settings.fine_tune.average:
        trainer.adam.finalize_variable_values(classifier.model.trainable_variables)
    after = [np.array(variable) for variable in classifier.model.variables]
    weight_interpolation.assign(classifier.model, before, after, choice.share)
