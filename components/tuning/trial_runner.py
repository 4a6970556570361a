"""Trains the recipe again and again on the same images, each time from the same base."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from thawline.components import backbones
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import checkpoint, params, recipe
from thawline.components.training.best_epoch import Snapshot
from thawline.components.tuning import settings_choice
from thawline.components.tuning.settings_choice import ValMeasurement


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """What one training reached.

    Attributes:
        measured: on val.
        kept: as `recipe.TrainedClassifier.kept`.
        recall: mean over the classes that val has, in [0, 1].
        seconds: of the training and its answers.
    """

    measured: ValMeasurement
    kept: str
    recall: float
    seconds: float


class TrialRunner:
    """One base for all trainings; its weights are restored after each of them."""

    def __init__(
        self,
        backbone: backbones.Backbone,
        classes: tuple[str, ...],
        embedded: recipe.FeatureSets,
        images: Callable[[], tuple[LabelledSet, LabelledSet]],
        folder: pathlib.Path,
    ) -> None:
        """Nothing is trained yet.

        Args:
            backbone: the pretrained base, of the embeddings.
            classes: names, in the order of the labels.
            embedded: features of the train and val images.
            images: gives the images themselves; called once, for the first full training.
            folder: for the state of a training under way.
        """
        self.backbone, self.classes = backbone, classes
        self.embedded = dataclasses.replace(
            embedded,
            train=recipe.drop_unknown_classes(embedded.train, 'train'),
            val=recipe.drop_unknown_classes(embedded.val, 'val'),
        )
        self._read, self._folder = images, folder
        self._held: tuple[LabelledSet, LabelledSet] | None = None
        self._base = Snapshot(backbone.model.variables)

    def _images(self) -> tuple[LabelledSet, LabelledSet]:
        if self._held is None:
            train, val = self._read()
            self._held = (
                recipe.drop_unknown_classes(train, 'train'),
                recipe.drop_unknown_classes(val, 'val'),
            )
        return self._held

    def train(
        self, settings: params.Training, embedded: recipe.FeatureSets | None = None
    ) -> TrialResult:
        """Runs the recipe whole, up to its choice of weights; the base is as before afterwards.

        Args:
            settings: of the recipe.
            embedded: other features than the given ones, for training in mode 'probe' alone.

        Raises:
            ConfigError, DataError, FloatingPointError: as `recipe.train`.
        """
        began = time.monotonic()
        data = embedded or self.embedded
        kept = checkpoint.CheckpointFile(self._folder, 'tuning')
        kept.clear()  # of a training that was stopped
        try:
            trained = recipe.train(
                self.backbone,
                self.classes,
                data,
                self._images,
                settings,
                kept,
                tf.summary.create_noop_writer(),
                self._folder,
            )
        finally:
            self._base.restore()
            kept.clear()
        labels = data.val.labels
        measured = settings_choice.measure(trained.val_logits, labels)
        recall = float(np.mean([measured.hits[labels == c].mean() for c in np.unique(labels)]))
        return TrialResult(measured, trained.kept, recall, time.monotonic() - began)
