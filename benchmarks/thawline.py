"""Thawline's recipe as a competitor: from pixels in memory, cold, in this process.

It is the product's own code from building the base to choosing what is kept. All that benchmarks
add happens beside it: test is embedded while the clock is stopped, and the weights of each epoch
are taken from the state that the recipe saves anyway, and scored afterwards.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
import tempfile
import time
from typing import Literal

import numpy as np
import tensorflow as tf

from benchmarks.images import Parts
from benchmarks.recipes import Base, Outcome, Point, fresh
from thawline.components import augmentation, backbones
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.embedding.feature_extractor import FeatureExtractor
from thawline.components.embedding.params import Embedding
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import checkpoint, model_selection, params, recipe, scores
from thawline.components.training.record import TrainingRecord


@dataclasses.dataclass(frozen=True)
class Embedded:
    """Features of all splits by the frozen base; `seconds` are of train and val."""

    splits: recipe.FeatureSets
    test: LabelledSet
    seconds: float


@dataclasses.dataclass(frozen=True)
class Thawed(Outcome):
    """What Thawline's recipe came to.

    Attributes:
        kept: 'probe', 'fine_tuned' or 'interpolated'.
        probe: when the probe was ready, and its accuracies.
        probe_train: accuracy of the probe on the plain train images.
        tuned_test: of the fine-tuned model's best epoch, kept or not; the probe's without one.
        either_test: of the better of those two on val, without a look at weights between them.
        record: what the recipe says of itself.
    """

    kept: str
    probe: Point
    probe_train: float
    tuned_test: float
    either_test: float
    record: TrainingRecord


class Watched(checkpoint.CheckpointFile):
    """Also keeps the weights of every epoch, with the time when they were saved."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder, 'benchmark')
        self.epochs: list[tuple[float, list[np.ndarray]]] = []
        self.best: list[np.ndarray] = []

    def save(self, state: checkpoint.Checkpoint) -> None:
        """As the product does, and notes the time after it."""
        super().save(state)
        count = sum(name.startswith('best') for name in state.arrays)
        self.best = [np.array(state.arrays[f'best{i}']) for i in range(count)]
        now = [np.array(state.arrays[f'v{i}']) for i in range(count)]
        self.epochs.append((time.monotonic(), now))


def frozen_settings(
    chosen: Base, training: params.Training, embedding: Embedding
) -> EmbeddingSettings:
    """What the Embedder is given for these settings."""
    name, views = training.views_augmentation, embedding.views
    if views == 0 or augmentation.POLICIES[name].is_identity:
        name, views = 'none', 0
    return EmbeddingSettings(
        chosen.name, chosen.weights, chosen.size, embedding.features, name, views, training.seed
    )


def embed(settings: EmbeddingSettings, backbone: backbones.Backbone, parts: Parts) -> Embedded:
    """Features of all splits by a base that was built."""
    started = time.monotonic()
    frozen = FeatureExtractor(settings, backbone)
    splits = recipe.FeatureSets(
        settings.features,
        frozen.embed('train', parts.train),
        frozen.embed('val', parts.val),
    )
    passed = time.monotonic() - started
    return Embedded(splits, frozen.embed('test', parts.test), passed)


def run(
    chosen: Base,
    parts: Parts,
    classes: tuple[str, ...],
    training: params.Training,
    embedding: Embedding | None = None,
    on_train: bool = False,
    known: dict[EmbeddingSettings, Embedded] | None = None,
) -> Thawed:
    """Builds the base, embeds train and val, fits the probe, thaws, keeps the better.

    Args:
        chosen: the base; its size is that of `parts`.
        parts: the images.
        classes: their names.
        training, embedding: the settings.
        on_train: also score the train images, as they are.
        known: features that earlier calls with these very `parts` computed; the seconds that it
            took then count as if they were spent now. New ones are added.
    """
    fresh(training.seed)
    started = time.monotonic()
    settings = frozen_settings(chosen, training, embedding or Embedding())
    backbone = backbones.build(chosen.name, chosen.size, chosen.weights)
    built = time.monotonic() - started
    known = {} if known is None else known
    if settings not in known:
        known[settings] = embed(settings, backbone, parts)
    embedded = known[settings]
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched(pathlib.Path(folder, 'state'))
        log = tf.summary.create_file_writer(folder)

        def train(settings: params.Training) -> recipe.TrainedClassifier:
            images = (parts.train, parts.val)
            return recipe.train(
                backbone, classes, embedded.splits, lambda: images, settings, watched, log
            )

        began = time.monotonic()
        trained = train(training)
        ended = time.monotonic()
        # What the clock would have shown at `began` had nothing been measured in between.
        before = built + embedded.seconds
        epochs = [before + at - began for at, _ in watched.epochs]
        passed = before + ended - began
        found = _scored(trained, watched, parts, training, on_train)
        # The same head again, because its weights are not in the model any more: the probe is the
        # same bit by bit for the same features.
        head = train(training.model_copy(update={'mode': 'probe'})).classifier.head
    kernel, bias = head.get_weights()

    def accuracy(of: LabelledSet) -> float:
        return scores.score(of.values[:, 0] @ kernel + bias, of.labels).accuracy

    record = trained.record
    probe = Point(
        before + record.seconds['probe'],
        record.probe.val.accuracy,
        accuracy(embedded.test),
    )
    tuned_test, either_test = probe.test, probe.test
    if record.interpolation:
        tuned_test = found.best
        ends = {share: record.interpolation[f'{share:g}'] for share in (0.0, 1.0)}
        if model_selection.choose(ends):
            either_test = tuned_test
    points = [
        Point(at, epoch.val_accuracy, test)
        for at, epoch, test in zip(epochs, record.epochs, found.epochs, strict=True)
    ]
    return Thawed(
        train=found.train,
        val=record.val.accuracy,
        test=found.test,
        seconds=passed,
        points=(probe, *points, Point(passed, record.val.accuracy, found.test)),
        kept=record.kept,
        probe=probe,
        probe_train=accuracy(embedded.splits.train),
        tuned_test=tuned_test,
        either_test=either_test,
        record=record,
    )


@dataclasses.dataclass(frozen=True)
class _Found:
    """Accuracies of the model as shipped, of each epoch on test, and of the best epoch on test."""

    train: float
    test: float
    epochs: list[float]
    best: float


def _scored(
    trained: recipe.TrainedClassifier,
    watched: Watched,
    parts: Parts,
    training: params.Training,
    on_train: bool,
) -> _Found:
    """Scores; the model has other weights afterwards."""
    classifier, single = trained.classifier, dataclasses.replace(trained.classifier, views='none')

    def served(part: LabelledSet) -> float:
        answers = trained.rule.answers(classifier.predict(part.values))
        return float((answers == part.labels).mean())

    test = served(parts.test)
    train = served(parts.train) if on_train else math.nan
    if not watched.epochs:
        return _Found(train, test, [], test)
    mode: Literal['frozen', 'affine']
    mode = 'frozen' if training.fine_tune.batch_norm == 'frozen' else 'affine'
    # An early stop can leave fewer blocks thawed than there are in the state.
    assert trained.record.fine_tune
    backbones.set_trainable(classifier.backbone, trained.record.fine_tune.blocks, mode)
    weights = list(classifier.model.trainable_variables)
    if training.fine_tune.batch_norm == 'updated':
        weights += [v for v in classifier.model.non_trainable_variables if 'moving_' in v.path]

    def of(arrays: list[np.ndarray]) -> float:
        for variable, array in zip(weights, arrays, strict=True):
            variable.assign(array)
        return scores.score(single.predict(parts.test.values), parts.test.labels).accuracy

    return _Found(train, test, [of(arrays) for _, arrays in watched.epochs], of(watched.best))
