"""Second phase: the top blocks of the base at a low learning rate, lower for earlier blocks.

Rates warm up and then fall along a cosine (`optimizer`). The weights of the epoch with the best val
accuracy (of equals, the lowest val loss) are restored at the end; training stops early when it no
longer improves. The loss alone would judge wrong here: it is smoothed in training, so it can rise
while the classes become easier to tell apart.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import time
from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from components import augmentation, backbones, progress
from components.training import budget, checkpoint, dataset, model, optimizer, params, scores
from components.training.curves import sparkline
from components.training.state import Epoch, Reached, Snapshot
from components.training.targets import Targets, class_weights

_TIMED_STEPS = 4


@dataclasses.dataclass(frozen=True)
class FineTuned:
    """The phase's outcome.

    Attributes:
        best_epoch: whose weights the model has.
        history: all epochs.
        val: scores of the best epoch.
        plan: what was trained.
        left_out: what was asked for and had no time, for people.
    """

    best_epoch: int
    history: tuple[Epoch, ...]
    val: scores.Scores
    plan: budget.Plan
    left_out: list[str]


Step = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def training_step(classifier: model.Classifier, adam: keras.optimizers.Optimizer) -> Step:
    """One step: (float32 [n, H, W, 3], float32 [n, C]) -> (sum of the losses, number of hits).

    Trains what is trainable now. Written out instead of `Model.fit`, whose first step makes its
    metrics' variables and is therefore traced twice, which for a few hundred images is a tenth of
    the whole training.
    """
    weights = list(classifier.model.trainable_variables)

    @tf.function(
        input_signature=[
            tf.TensorSpec(classifier.model.input_shape, tf.float32),
            tf.TensorSpec([None, classifier.head.units], tf.float32),
        ]
    )
    def step(images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = classifier.model(images, training=True)  # (n, C)
            losses = -tf.reduce_sum(targets * tf.nn.log_softmax(logits))
            loss = losses / tf.cast(tf.shape(images)[0], tf.float32)
        adam.apply(tape.gradient(loss, weights), weights)
        right = tf.equal(tf.argmax(logits, axis=1), tf.argmax(targets, axis=1))
        return losses, tf.reduce_sum(tf.cast(right, tf.float32))

    return step


def depth_of(epoch: int, epochs: int, blocks: int, stages: int) -> int:
    """Thawed blocks in an epoch: `stages` equal parts of the first half, all of them after it.

    Block-wise gradual unfreezing (Howard & Ruder, "Universal Language Model Fine-tuning for Text
    Classification", ACL 2018), from the top.
    """
    if epoch == epochs:  # a single epoch has no second half
        return blocks
    stage = min(stages, 1 + (epoch - 1) * 2 * stages // epochs)
    return max(1, round(blocks * stage / stages))


class _Run:
    """One fine-tuning: the variables, and a compiled step for each depth."""

    def __init__(
        self,
        classifier: model.Classifier,
        train: dataset.ImageSet,
        val: dataset.ImageSet,
        settings: params.Training,
    ) -> None:
        self.classifier, self.train, self.val, self.settings = classifier, train, val, settings
        self.tune = settings.fine_tune
        count = len(classifier.backbone.blocks)
        self.wanted = count if self.tune.blocks == 'all' else min(self.tune.blocks, count)
        self.steps = -(-len(train) // settings.batch_size)
        self._targets = Targets(
            self.tune.label_smoothing,
            self.tune.mix,
            class_weights(train.labels, classifier.head.units, settings.class_weights),
        )

    def prepare(self, blocks: int) -> None:
        """Thaws so many blocks at the end, all in one optimizer; nothing is compiled yet."""
        self.blocks = blocks
        self._thaw(blocks)
        self.adam = optimizer.build(self.classifier, self.tune, blocks)
        self._compiled: dict[int, Step] = {}
        network = self.classifier.model
        updated = self.tune.batch_norm == 'updated'
        self._trained, fixed = network.trainable_variables, network.non_trainable_variables
        statistics = [v for v in fixed if updated and 'moving_' in v.path]
        seeds = [v for v in fixed if 'seed' in v.path]
        # The rate is assigned before each step, so it is no state.
        self.reached = Reached([*self._trained, *statistics], [*seeds, *self.adam.variables])

    def begin(self, state: checkpoint.State | None, deadline: budget.Deadline) -> budget.Plan:
        """Takes up a kept training with its plan, or plans a new one."""
        if state is not None:
            self.prepare(state.meta['blocks'])
            if self.reached.resume(state):
                done, planned = len(self.reached.history), self.reached.planned
                logging.info('resuming after epoch %d of %d', done, planned.epochs)
                return planned
        planned = budget.plan(deadline, self.tune.epochs, self.wanted, self.epoch_seconds)
        if planned.epochs:
            if planned.epoch_seconds is None:  # nothing was measured
                self.prepare(planned.blocks)
            self.reached.planned = planned
        return planned

    def _thaw(self, blocks: int) -> None:
        # 'updated' differs in how the base is called, not in what is trained.
        mode: Literal['frozen', 'affine']
        mode = 'frozen' if self.tune.batch_norm == 'frozen' else 'affine'
        backbones.set_trainable(self.classifier.backbone, blocks, mode)

    def _step(self, blocks: int) -> Step:
        if blocks not in self._compiled:
            self._thaw(blocks)
            self._compiled = {blocks: training_step(self.classifier, self.adam)}
        return self._compiled[blocks]

    def epoch(
        self, number: int, epochs: int, limit: int | None = None, show: bool = True
    ) -> tuple[float, float, list[float]]:
        """Trains one epoch, or its first `limit` steps: (loss sum, hits, seconds of each step)."""
        policy = augmentation.POLICIES[self.settings.augmentation]
        batches = dataset.training_epoch(
            self.train, self.settings.batch_size, policy, self.settings.seed, number, self._targets
        )
        step = self._step(depth_of(number, epochs, self.blocks, self.tune.stages))
        losses, hits, seconds = 0.0, 0.0, []
        began = time.monotonic()
        for i, (images, targets) in enumerate(itertools.islice(batches, limit)):
            self.adam.learning_rate = self.rate(number, i, epochs)
            batch_losses, batch_hits = step(images, targets)
            losses, hits = losses + float(batch_losses), hits + float(batch_hits)
            now = time.monotonic()
            seconds.append(now - began)
            began = now
            if show:
                progress.advance()
        return losses, hits, seconds

    def rate(self, number: int, step: int, epochs: int) -> float:
        """Learning rate of the head and the top block in a step of an epoch."""
        done = (number - 1) * self.steps + step
        return optimizer.rate(self.tune.learning_rate, done, epochs * self.steps, self.tune.warmup)

    def epoch_seconds(self, blocks: int) -> float:
        """Measures an epoch of this depth, its look at val included; no weight has changed after.

        Compiling is part of what this takes, and is not part of what is returned.
        """
        progress.start(f'timing {blocks} thawed blocks')
        self.prepare(blocks)
        before, last = self.reached.snapshot(), self.tune.epochs
        self.epoch(last, last, 1, show=False)  # compiles
        _, _, steps = self.epoch(last, last, _TIMED_STEPS, show=False)
        before.restore()
        self.classifier.predict(self.val.pixels[:64])  # compiles
        began = time.monotonic()
        self.classifier.predict(self.val.pixels)
        seen = time.monotonic() - began
        # Not the mean: the first step of an epoch waits for its images, the others hardly.
        return float(np.median(steps)) * self.steps + seen

    def val_logits(self) -> tuple[np.ndarray, Snapshot | None]:
        """Logits of val by the weights that count, which are then in the model.

        Returns:
            float32 [N, C], and the raw weights to train on with, where averages count.
        """
        raw = None
        if self.tune.average:
            raw = Snapshot(self.reached.weights)
            self.adam.finalize_variable_values(self._trained)
        return self.classifier.predict(self.val.pixels), raw


def run(
    classifier: model.Classifier,
    train: dataset.ImageSet,
    val: dataset.ImageSet,
    settings: params.Training,
    kept: checkpoint.Checkpoint,
    on_epoch: Callable[[Epoch], None],
    deadline: budget.Deadline | None = None,
) -> FineTuned | None:
    """Thaws and trains; on return the model has the weights of its best epoch.

    Args:
        classifier: with the head of the first phase in place.
        train, val: every label in [0, C).
        settings: of the whole recipe.
        kept: where the state after each epoch goes and comes from.
        on_epoch: called after each epoch, also for those done before a kill.
        deadline: of the whole training.

    Returns:
        None when there was no time for it; the model is then as it was.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    deadline = deadline or budget.Deadline(None)
    tune, one = settings.fine_tune, _Run(classifier, train, val, settings)
    planned = one.begin(kept.load(), deadline)
    if not planned.epochs:
        return None
    reached = one.reached
    for epoch in reached.history:
        on_epoch(epoch)
    progress.start('fine-tuning steps', one.steps * planned.epochs)
    progress.advance(one.steps * len(reached.history))
    for number in range(len(reached.history) + 1, planned.epochs + 1):
        if number - reached.best_epoch > tune.patience:
            break
        began = time.monotonic()
        losses, hits, _ = one.epoch(number, planned.epochs)
        logits, raw = one.val_logits()
        # The last step of an epoch can break the model after a loss that was still finite.
        if not (np.isfinite(losses) and np.isfinite(logits).all()):
            raise FloatingPointError(
                f'the training diverged in epoch {number} (loss {losses / len(train):g}); '
                f'lower training.fine_tune.learning_rate (now {tune.learning_rate:g})'
            )
        found = scores.score(logits, val.labels)
        epoch = Epoch(
            number,
            losses / len(train),
            hits / len(train),
            found.log_loss,
            found.accuracy,
            depth_of(number, planned.epochs, one.blocks, tune.stages),
            max(one.rate(number, step, planned.epochs) for step in range(one.steps)),
            time.monotonic() - began,
        )
        reached.add(epoch, found)
        if raw is not None:
            raw.restore()
        on_epoch(epoch)
        trend = sparkline([past.val_accuracy for past in reached.history])
        progress.note(f'epoch {number}/{planned.epochs}, val {found.accuracy:.3f} {trend}')
        kept.save(reached.state())
        if deadline.left is not None and deadline.left < epoch.seconds and number < planned.epochs:
            logging.warning('stopped after epoch %d: the budget is spent', number)
            planned = dataclasses.replace(planned, epochs=number)
            break
    reached.restore_best()
    return FineTuned(
        reached.best_epoch,
        tuple(reached.history),
        reached.best_val,
        planned,
        planned.left_out(tune.epochs, one.wanted),
    )
