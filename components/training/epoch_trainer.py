"""The epochs of one fine-tuning: what thaws in them, at what side and rate, and what they take."""

from __future__ import annotations

import itertools
import logging
import pathlib
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from thawline.components import augmentation, backbones
from thawline.components.backbones import classifier
from thawline.components.shared import progress
from thawline.components.training import (
    budget,
    checkpoint,
    frozen_activations,
    image_set,
    optimizer,
    params,
    precision,
    resolution,
)
from thawline.components.training.best_epoch import EpochHistory, Snapshot
from thawline.components.training.targets import Targets, class_weights
from thawline.components.training.training_step import Step, compile_step

_TIMED_STEPS = 4


def thawed_blocks(epoch: int, epochs: int, blocks: int, stages: int) -> int:
    """Thawed blocks in an epoch: `stages` equal parts of the first half, all of them after it.

    Block-wise gradual unfreezing (Howard & Ruder, "Universal Language Model Fine-tuning for Text
    Classification", ACL 2018), from the top.
    """
    if epoch == epochs:  # a single epoch has no second half
        return blocks
    stage = min(stages, 1 + (epoch - 1) * 2 * stages // epochs)
    return max(1, round(blocks * stage / stages))


class EpochTrainer:
    """One fine-tuning: the variables, and a compiled step for each depth.

    Attributes:
        wanted: blocks that are to thaw.
        blocks: that thaw in the end, once `begin` has planned; fewer where time is short.
        steps: of an epoch.
        reached: how far the training is.
        look: logits of val by the weights of now.
    """

    def __init__(
        self,
        classifier: classifier.Classifier,
        train: image_set.ImageSet,
        val: image_set.ImageSet,
        settings: params.Training,
        spool: pathlib.Path | None,
    ) -> None:
        """Nothing is thawed or compiled yet; the arguments are those of `fine_tune.run`."""
        self._classifier, self._train, self._val = classifier, train, val
        self._settings, self._tune, self._spool = settings, settings.fine_tune, spool
        if settings.augmentation == 'auto':
            raise ValueError('augmentation auto is settled before: see `affinity.settle`')
        self._policy = augmentation.POLICIES[settings.augmentation]
        count = len(classifier.backbone.blocks)
        blocks = self._tune.blocks
        self.wanted = count if blocks == 'all' else min(blocks, count)
        self.steps = -(-len(train) // settings.batch_size)
        self._targets = Targets(
            self._tune.label_smoothing,
            self._tune.mix,
            class_weights(train.labels, classifier.head.units, settings.class_weights),
            settings.soft_labels,
        )
        if self._tune.cached_views and self.wanted == count:
            logging.warning('cached_views does nothing: all %d blocks are thawed', count)

    def prepare(self, blocks: int) -> None:
        """Thaws so many blocks at the end, all in one optimizer; nothing is compiled yet."""
        self.blocks, tune = blocks, self._tune
        self._thaw(blocks)
        self.adam = optimizer.build(self._classifier, tune, blocks)
        self._compiled: dict[int, Step] = {}
        network = self._classifier.model
        updated = tune.batch_norm == 'updated'
        self._trained, fixed = network.trainable_variables, network.non_trainable_variables
        statistics = [v for v in fixed if updated and 'moving_' in v.path]
        seeds = [v for v in fixed if 'seed' in v.path]
        # The rate is assigned before each step, so it is no state.
        self.reached = EpochHistory(
            [*self._trained, *statistics], [*seeds, *self.adam.variables], self._val.labels
        )
        self._boundary: frozen_activations.SplitClassifier | None = None
        self._views: frozen_activations.CachedViews | None = None
        if blocks < len(self._classifier.backbone.blocks):
            self._boundary = frozen_activations.SplitClassifier(
                self._classifier, blocks, self._policy
            )
            if tune.cached_views:
                # Without a change all views would be the same one.
                views = 1 if self._policy.is_identity else tune.cached_views
                self._views = frozen_activations.CachedViews(
                    self._boundary, self._train, views, self._settings.seed, self._spool
                )
        self.look = frozen_activations.ValPredictor(
            self._classifier, self._val.pixels, self._boundary
        )

    def begin(
        self, state: checkpoint.Checkpoint | None, deadline: budget.Deadline
    ) -> budget.ThawPlan:
        """Takes up a kept training with its plan, or plans a new one."""
        if state is not None:
            self.prepare(state.meta['blocks'])
            if self.reached.resume(state):
                deadline.resume(state.meta['spent'])
                done, planned = len(self.reached.history), self.reached.planned
                logging.info('resuming after epoch %d of %d', done, planned.epochs)
                return planned
        planned = budget.plan(deadline, self._tune.epochs, self.wanted, self.measure)
        if planned.epochs:
            if planned.epoch_seconds is None:  # nothing was measured
                self.prepare(planned.blocks)
            self.reached.planned = planned
        return planned

    def _thaw(self, blocks: int) -> None:
        # 'updated' differs in how the base is called, not in what is trained.
        mode: Literal['frozen', 'affine']
        mode = 'frozen' if self._tune.batch_norm == 'frozen' else 'affine'
        backbones.set_trainable(self._classifier.backbone, blocks, mode)

    def _step(self, blocks: int) -> Step:
        if blocks not in self._compiled:
            self._thaw(blocks)
            with precision.use_dtype_policy(
                precision.dtype_policy(self._settings.precision), self._classifier.backbone
            ):
                self._compiled = {blocks: self._traced()}
        return self._compiled[blocks]

    def _traced(self) -> Step:
        network = self._classifier.model
        weights = list(network.trainable_variables)
        if self._views is not None and self._boundary is not None:
            upper = self._boundary.upper
            return compile_step(upper, weights, self.adam, self._boundary.specs)
        shape = network.input_shape
        if resolution.varies(self._tune):
            # One trace for all sides; a known side makes a faster graph.
            self._classifier.take_any_size()
            shape = (None, None, None, 3)
        return compile_step(network, weights, self.adam, tf.TensorSpec(shape, tf.float32))

    def depth(self, number: int, epochs: int) -> int:
        """Thawed blocks in an epoch."""
        return thawed_blocks(number, epochs, self.blocks, self._tune.stages)

    def sides(self, epochs: int) -> np.ndarray:
        """The side of the images in each of so many epochs, in pixels: int64 [epochs]."""
        return resolution.sides(self._tune, self._train.pixels.shape[1], epochs)

    def rate(self, number: int, step: int, epochs: int) -> float:
        """Learning rate of the head and the top block in a step of an epoch."""
        peak, warmup = self._tune.learning_rate, self._tune.warmup
        done = (number - 1) * self.steps + step
        return optimizer.learning_rate(peak, done, epochs * self.steps, warmup)

    def epoch(self, number: int, epochs: int) -> tuple[float, float]:
        """Trains one epoch: (loss sum, hits)."""
        side = int(self.sides(epochs)[number - 1])
        losses, hits, _ = self._train_on(self._batches(number, side), number, epochs, show=True)
        return losses, hits

    def _batches(self, number: int, side: int) -> Iterable[tuple[Any, Any]]:
        size = self._settings.batch_size
        if self._views is not None:
            view = (number - 1) % self._views.count
            return self._views.epoch(view, number, size, self._targets)
        return image_set.training_epoch(
            self._train, size, self._policy, self._settings.seed, number, self._targets, side
        )

    def _train_on(
        self, batches: Iterable[tuple[Any, Any]], number: int, epochs: int, show: bool
    ) -> tuple[float, float, list[float]]:
        """Trains on the batches of an epoch: (loss sum, hits, seconds of each step)."""
        step = self._step(self.depth(number, epochs))
        losses, hits, seconds = 0.0, 0.0, []
        began = time.monotonic()
        for i, (images, targets) in enumerate(batches):
            self.adam.learning_rate = self.rate(number, i, epochs)
            batch_losses, batch_hits = step(images, targets)
            losses, hits = losses + float(batch_losses), hits + float(batch_hits)
            now = time.monotonic()
            seconds.append(now - began)
            began = now
            if show:
                progress.advance()
        return losses, hits, seconds

    def measure(self, blocks: int) -> Callable[[int], float]:
        """Times this depth, looks at val included; no weight has changed after.

        Compiling is part of what this takes, and is not part of what the result tells.

        Returns:
            Number of epochs -> seconds of them all.
        """
        progress.start(f'timing {blocks} thawed blocks')
        self.prepare(blocks)
        began = time.monotonic()
        if self._views is not None:
            self._views.fill(0)
        filling = time.monotonic() - began
        before = self.reached.snapshot()
        tune, full = self._tune, self._train.pixels.shape[1]
        areas, seconds = [], []
        for side in sorted({int(side) for side in resolution.sides(tune, full, 2)}):
            self._timed(side, 1)  # compiles
            areas.append(side**2)
            # Not the mean: the first step of an epoch waits for its images, the others hardly.
            seconds.append(float(np.median(self._timed(side, _TIMED_STEPS))))
        before.restore()
        self.look()  # compiles
        began = time.monotonic()
        self.look()
        seen = time.monotonic() - began

        def of(epochs: int) -> float:
            # Convolutions take as long as their maps are large; the rest of a step is the same.
            steps = np.interp(self.sides(epochs) ** 2, areas, seconds).sum() * self.steps
            unfilled = 0 if self._views is None else min(epochs, self._views.count) - 1
            return float(steps) + epochs * seen + unfilled * filling

        return of

    def _timed(self, side: int, limit: int) -> list[float]:
        """Seconds of the first steps of an epoch of the full depth."""
        last = self._tune.epochs
        batches = itertools.islice(self._batches(1, side), limit)
        return self._train_on(batches, last, last, show=False)[2]

    def look_at_averages(self) -> tuple[np.ndarray, Snapshot | None]:
        """Logits of val by the weights that count, which are then in the model.

        Returns:
            float32 [N, C], and the raw weights to train on with, where averages count.
        """
        raw = None
        if self._tune.average:
            raw = Snapshot(self.reached.weights)
            self.adam.finalize_variable_values(self._trained)
        return self.look(), raw
