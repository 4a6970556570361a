"""Trains the recipe repeatedly on the same images, each time from the same base."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from thawline.components import backbones
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import params, recipe, training_sets
from thawline.components.training.best_epoch import Snapshot
from thawline.components.training.checkpoint import CheckpointFile
from thawline.components.tuning import settings_choice
from thawline.components.tuning.settings_choice import ValMeasurement


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """The outcome of one training.

    Attributes:
        measured: on val.
        kept: as in `TrainingRecord`.
        recall: mean over the classes that val has, in [0, 1].
        seconds: of the training.
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
        features: recipe.FeatureSets,
        images: Callable[[], tuple[LabelledSet, LabelledSet]],
        folder: pathlib.Path,
    ) -> None:
        """Trains nothing yet.

        Args:
            backbone: the pretrained base, of the embeddings.
            classes: names, in the order of the labels.
            features: of the train and val images.
            images: reads the images; called once, for the first full training.
            folder: for the checkpoint of a training.
        """
        self.backbone, self.classes = backbone, classes
        train, val = training_sets.drop_unknown_classes(features.train, features.val)
        self.features = recipe.FeatureSets(features.kind, train, val)
        self._read, self._folder = images, folder
        self._cached: tuple[LabelledSet, LabelledSet] | None = None
        self._base = Snapshot(backbone.model.variables)

    def _images(self) -> tuple[LabelledSet, LabelledSet]:
        if self._cached is None:
            self._cached = training_sets.drop_unknown_classes(*self._read())
        return self._cached

    def train(
        self, settings: params.Training, features: recipe.FeatureSets | None = None
    ) -> TrialResult:
        """Runs the whole recipe, and restores the base.

        Args:
            settings: of the recipe.
            features: others, for training in mode 'probe' only.

        Raises:
            ConfigError, DataError, FloatingPointError: as `recipe.train`.
        """
        began = time.monotonic()
        features = features or self.features
        checkpoint_file = CheckpointFile(self._folder, 'tuning')
        checkpoint_file.clear()  # of a training that was stopped
        try:
            trained = recipe.train(
                self.backbone,
                self.classes,
                features,
                self._images,
                settings,
                checkpoint_file,
                tf.summary.create_noop_writer(),
                self._folder,
            )
        finally:
            self._base.restore()
            checkpoint_file.clear()
        labels = features.val.labels
        measured = settings_choice.measure(trained.val_logits, labels)
        recall = float(np.mean([measured.hits[labels == c].mean() for c in np.unique(labels)]))
        return TrialResult(measured, trained.record.kept, recall, time.monotonic() - began)
