"""Trains the epochs of a fine-tuning, and times them: their blocks, side and learning rate."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import logging
import math
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from thawline.components import augmentation, backbones
from thawline.components.backbones import classifier
from thawline.components.shared import progress
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import (
    budget,
    frozen_activations,
    optimizer,
    params,
    precision,
    resolution,
    training_images,
)
from thawline.components.training.best_epoch import EpochHistory, Snapshot
from thawline.components.training.checkpoint import Checkpoint
from thawline.components.training.targets import Targets, class_weights
from thawline.components.training.training_step import Step, compile_step

# At most, and as long as they took less than this share of the budget.
_TIMED_STEPS, _TIMED_SHARE = 3, 0.02
Batch = tuple[Any, Any]  # (images or activations, targets) of a step


@dataclasses.dataclass
class _Compiled:
    """An optimizer, its values when it was new, and the step of the present depth, if any."""

    adam: optimizer.LayerwiseAdamW
    start: Snapshot
    steps: dict[int, Step] = dataclasses.field(default_factory=dict)


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
    """The variables of one fine-tuning, and a compiled step for each depth.

    Attributes:
        requested_blocks: as the settings say.
        blocks: that thaw in the end, once `start` has planned; fewer where time is short.
        steps: of an epoch.
        history: the epochs so far.
        predict_val: logits of val by the present weights.
    """

    def __init__(
        self,
        classifier: classifier.Classifier,
        train: LabelledSet,
        val: LabelledSet,
        settings: params.Training,
        spool: pathlib.Path | None,
    ) -> None:
        """Thaws and compiles nothing yet; the arguments are those of `fine_tune.run`."""
        self._classifier, self._train, self._val = classifier, train, val
        self._settings, self._tune, self._spool = settings, settings.fine_tune, spool
        self._deadline = budget.Deadline(None)
        if settings.augmentation == 'auto':
            raise ValueError('augmentation is auto; augmentation_choice.resolve comes before')
        self._policy = augmentation.POLICIES[settings.augmentation]
        count = len(classifier.backbone.blocks)
        blocks = self._tune.blocks
        self.requested_blocks = count if blocks == 'all' else min(blocks, count)
        self.steps = -(-len(train) // settings.batch_size)
        self._targets = Targets(
            self._tune.label_smoothing,
            self._tune.mix,
            class_weights(train.labels, classifier.head.units, settings.class_weights),
            settings.soft_labels,
        )
        self._augmented = training_images.EpochBatches(
            train, settings.batch_size, self._policy, settings.seed, self._targets
        )
        if self._tune.cached_views and self.requested_blocks == count:
            logging.warning('cached_views has no effect: all %d blocks are thawed', count)

    def prepare(self, blocks: int) -> None:
        """Thaws so many blocks, all in one optimizer; compiles nothing yet."""
        self.blocks, tune = blocks, self._tune
        self._thaw(blocks)
        self._compiled = self._reuse(blocks)
        self.adam = self._compiled.adam
        network = self._classifier.model
        updated = tune.batch_norm == 'updated'
        self._trained, fixed = network.trainable_variables, network.non_trainable_variables
        statistics = [v for v in fixed if updated and 'moving_' in v.path]
        seeds = [v for v in fixed if 'seed' in v.path]
        # The rate is assigned before each step, so it is no state.
        self.history = EpochHistory(
            [*self._trained, *statistics], [*seeds, *self.adam.variables], self._val.labels
        )
        self._split: frozen_activations.SplitClassifier | None = None
        self._views: frozen_activations.CachedViews | None = None
        if blocks < len(self._classifier.backbone.blocks):
            self._split = frozen_activations.SplitClassifier(self._classifier, blocks, self._policy)
            if tune.cached_views:
                # Without a change all views would be the same one.
                views = 1 if self._policy.is_identity else tune.cached_views
                self._views = frozen_activations.CachedViews(
                    self._split, self._train, views, self._settings.seed, self._spool
                )
        self.predict_val = frozen_activations.ValPredictor(
            self._classifier, self._val.values, self._split
        )

    def _reuse(self, blocks: int) -> _Compiled:
        """What an earlier training of this very classifier compiled, as new; or nothing yet."""
        key = blocks, self._tune.model_dump_json(), self._settings.precision
        known = self._classifier.compiled
        if key in known:
            compiled: _Compiled = known[key]
            compiled.start.restore()
            return compiled
        adam = optimizer.build(self._classifier, self._tune, blocks)
        known.clear()  # a graph takes much memory
        known[key] = _Compiled(adam, Snapshot(adam.variables))
        return known[key]

    def start(
        self,
        saved: Checkpoint | None,
        deadline: budget.Deadline,
        cost: budget.CostEstimate | None,
    ) -> budget.ThawPlan:
        """Resumes a training with its plan, or plans a new one.

        Raises:
            TooShort: the deadline is too early for one.
        """
        self._deadline = deadline
        if saved is not None:
            self.prepare(saved.meta['blocks'])
            if self.history.resume(saved):
                deadline.resume(saved.meta['elapsed'])
                plan = self.history.plan
                logging.info('resuming after epoch %d of %d', len(self.history.epochs), plan.epochs)
                return plan
        epochs, blocks = self._tune.epochs, self.requested_blocks
        if cost is None or deadline.seconds is None:
            plan = budget.ThawPlan(epochs, blocks)
            self.prepare(blocks)
        else:
            timing = functools.partial(self.time_epochs, cost)
            plan = budget.plan(deadline, epochs, blocks, cost, self.steps, timing)
        self.history.plan = plan
        return plan

    def _thaw(self, blocks: int) -> None:
        # 'updated' differs in how the base is called, not in what is trained.
        mode: Literal['frozen', 'affine']
        mode = 'frozen' if self._tune.batch_norm == 'frozen' else 'affine'
        backbones.set_trainable(self._classifier.backbone, blocks, mode)

    def _step(self, blocks: int) -> Step:
        if blocks not in self._compiled.steps:
            self._thaw(blocks)
            with precision.use_dtype_policy(
                precision.dtype_policy(self._settings.precision), self._classifier.backbone
            ):
                self._compiled.steps = {blocks: self._compile()}
        return self._compiled.steps[blocks]

    def _compile(self) -> Step:
        network = self._classifier.model
        weights = list(network.trainable_variables)
        if self._views is not None and self._split is not None:
            upper = self._split.upper
            return compile_step(upper, weights, self.adam, self._split.specs)
        shape = network.input_shape
        if resolution.varies(self._tune):
            # One trace for all sides; a known side makes a faster graph.
            self._classifier.accept_any_size()
            shape = (None, None, None, 3)
        return compile_step(network, weights, self.adam, tf.TensorSpec(shape, tf.float32))

    def depth(self, number: int, epochs: int) -> int:
        """Thawed blocks in an epoch."""
        return thawed_blocks(number, epochs, self.blocks, self._tune.stages)

    def sides(self, epochs: int) -> np.ndarray:
        """The side of the images in each of so many epochs, in pixels: int64 [epochs]."""
        return resolution.sides(self._tune, self._train.values.shape[1], epochs)

    def learning_rate(self, number: int, step: int, total: int) -> float:
        """Learning rate of the head and the top block in a step of an epoch.

        `total`: the steps of all epochs.
        """
        peak, warmup = self._tune.learning_rate, self._tune.warmup
        return optimizer.learning_rate(peak, (number - 1) * self.steps + step, total, warmup)

    def train(self, number: int, total: int) -> tuple[float, float, int]:
        """Trains one epoch, or what of it `total` and the deadline allow.

        Returns:
            Sum of the losses, hits, and steps.
        """
        side = int(self.sides(-(-total // self.steps))[number - 1])
        planned = min(self.steps, total - (number - 1) * self.steps)
        batches = self._until_deadline(itertools.islice(self._batches(number, side), planned))
        losses, hits, seconds = self._train_batches(batches, number, total, show=True)
        return losses, hits, len(seconds)

    def _until_deadline(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """At least the first one."""
        for batch in batches:
            yield batch
            if self._deadline.is_over:
                return

    def _batches(self, number: int, side: int) -> Iterable[Batch]:
        if self._views is not None:
            view = (number - 1) % self._views.count
            return self._views.epoch(view, number, self._settings.batch_size, self._targets)
        return self._augmented.epoch(number, side)

    def _train_batches(
        self, batches: Iterable[Batch], number: int, total: int, show: bool
    ) -> tuple[float, float, list[float]]:
        """Trains on the batches of an epoch: (loss sum, hits, seconds of each step)."""
        step = self._step(self.depth(number, -(-total // self.steps)))
        losses, hits, seconds = 0.0, 0.0, []
        now = self._deadline.now
        began = now()
        for i, (images, targets) in enumerate(batches):
            self.adam.learning_rate = self.learning_rate(number, i, total)
            batch_losses, batch_hits = step(images, targets)
            losses, hits = losses + float(batch_losses), hits + float(batch_hits)
            ended = now()
            seconds.append(ended - began)
            began = ended
            if show:
                progress.advance()
        return losses, hits, seconds

    def time_epochs(self, cost: budget.CostEstimate, blocks: int) -> Callable[[float], float]:
        """Times steps of this depth; changes no weight.

        The result leaves out the time to compile the step, which has passed then.

        Returns:
            Number of epochs, which may be broken -> seconds of them all, with their predictions of
            val.
        """
        progress.start(f'timing {blocks} thawed blocks')
        self.prepare(blocks)
        now = self._deadline.now
        began = now()
        if self._views is not None:
            self._views.fill(0)
        filling = now() - began
        before = self.history.snapshot()
        tune, full = self._tune, self._train.values.shape[1]
        areas, seconds = [], []
        for side in sorted({int(side) for side in resolution.sides(tune, full, 2)}):
            areas.append(side**2)
            # Not the mean: the machine may do something else for a moment.
            seconds.append(float(np.median(self._time_steps(side))))
        before.restore()
        predicting, splitting = cost.val * cost.image_seconds, 0.0
        if self.predict_val.is_split:
            # The frozen part of val, computed once, and the traces of both parts.
            splitting = predicting + 2 * cost.trace_seconds
            predicting *= blocks / cost.blocks

        def seconds_of(epochs: float) -> float:
            count = math.ceil(epochs)
            # The time of convolutions goes with the area of their maps; the rest is constant.
            each = np.interp(self.sides(count) ** 2, areas, seconds) * self.steps
            steps = each.sum() - (count - epochs) * each[-1]
            unfilled = 0 if self._views is None else min(count, self._views.count) - 1
            return float(steps) + count * predicting + splitting + unfilled * filling

        return seconds_of

    def _time_steps(self, side: int) -> list[float]:
        """Seconds of a few steps of an epoch of the full depth, without the first, which compiles.

        An epoch of one step has no other.
        """
        last = self._tune.epochs

        def seconds(steps: int) -> list[float]:
            batches = self._while_short(itertools.islice(self._batches(1, side), steps))
            return self._train_batches(batches, last, last * self.steps, show=False)[2]

        return seconds(1 + _TIMED_STEPS)[1:] or seconds(1)

    def _while_short(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """At least two, then as long as steps take little of the budget."""
        began, now = math.inf, self._deadline.now
        for number, batch in enumerate(batches):
            if now() - began > _TIMED_SHARE * (self._deadline.seconds or math.inf):
                return
            yield batch
            if not number:
                began = now()  # the first one compiles

    def predict_with_averages(self) -> tuple[np.ndarray, Snapshot | None]:
        """Puts the moving averages of the weights, where there are any, into the model.

        Returns:
            Logits of val, float32 [N, C], and the raw weights to go on with, if they were replaced.
        """
        raw = None
        if self._tune.average:
            raw = Snapshot(self.history.weights)
            self.adam.finalize_variable_values(self._trained)
        return self.predict_val(), raw
