"""Second phase: the top blocks of the base at a low learning rate, lower for earlier blocks.

Rates warm up and then fall along a cosine (`optimizer`). BatchNorm keeps its statistics. The
weights of the epoch with the best val accuracy (of equals, the lowest val loss) are restored at the
end; training stops early when it no longer improves. The loss alone would judge wrong here: it is
smoothed in training, so it can rise while the classes become easier to tell apart.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from components import backbones, progress
from components.training import augmentation, checkpoint, dataset, model, optimizer, params, scores


@dataclasses.dataclass(frozen=True)
class Epoch:
    """What one epoch reached; `train_accuracy` is measured on augmented images while training."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float


@dataclasses.dataclass(frozen=True)
class FineTuned:
    """The phase's outcome: the best epoch, all epochs, the val scores of the best."""

    best_epoch: int
    history: tuple[Epoch, ...]
    val: scores.Scores


class _Reached:
    """How far a training is: everything that a resumed one needs, and the best epoch's weights."""

    def __init__(self, classifier: model.Classifier, adam: keras.optimizers.Optimizer) -> None:
        seeds = [v for v in classifier.model.non_trainable_variables if 'seed' in v.path]
        self.weights = classifier.model.trainable_variables
        changing = [*self.weights, *seeds, *adam.variables]
        self._changing = {f'v{i}': variable for i, variable in enumerate(changing)}
        self.history: list[Epoch] = []
        self.best_epoch, self.best_val = 0, scores.Scores(-1.0, math.inf, 0)
        self._best = [variable.numpy() for variable in self.weights]

    def resume(self, state: checkpoint.State | None) -> None:
        """Takes up a kept state, where there is one that fits."""
        if state is None or not set(self._changing) <= set(state.arrays):
            return
        for name, variable in self._changing.items():
            variable.assign(state.arrays[name])
        self._best = [state.arrays[f'best{i}'] for i in range(len(self.weights))]
        self.history = [Epoch(**epoch) for epoch in state.meta['history']]
        self.best_epoch = state.meta['best_epoch']
        self.best_val = scores.Scores(**state.meta['best_val'])

    def state(self) -> checkpoint.State:
        """The inverse of `resume`."""
        arrays = {name: np.asarray(variable) for name, variable in self._changing.items()}
        arrays |= {f'best{i}': array for i, array in enumerate(self._best)}
        meta = {
            'history': [dataclasses.asdict(epoch) for epoch in self.history],
            'best_epoch': self.best_epoch,
            'best_val': dataclasses.asdict(self.best_val),
        }
        return checkpoint.State(arrays, meta)

    def add(self, epoch: Epoch, val: scores.Scores) -> None:
        """Notes a finished epoch, and its weights when it is the best so far."""
        self.history.append(epoch)
        if val.better_than(self.best_val):
            self.best_epoch, self.best_val = epoch.epoch, val
            self._best = [variable.numpy() for variable in self.weights]

    def restore_best(self) -> None:
        """Gives the model the weights of its best epoch."""
        for variable, array in zip(self.weights, self._best, strict=True):
            variable.assign(array)


def training_step(
    classifier: model.Classifier, adam: keras.optimizers.Optimizer, label_smoothing: float
) -> Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """One step: (float32 [n, H, W, 3], int64 [n]) -> (sum of the losses, number of hits).

    Written out instead of `Model.fit`, whose first step makes its metrics' variables and is
    therefore traced twice, which for a few hundred images is a tenth of the whole training.
    """
    weights = classifier.model.trainable_variables
    loss_of = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=label_smoothing, reduction='sum'
    )

    @tf.function(
        input_signature=[
            tf.TensorSpec(classifier.model.input_shape, tf.float32),
            tf.TensorSpec([None], tf.int64),
        ]
    )
    def step(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        one_hot = tf.one_hot(labels, classifier.head.units)
        with tf.GradientTape() as tape:
            logits = classifier.model(images, training=True)  # (n, C)
            losses = loss_of(one_hot, logits)
            loss = losses / tf.cast(tf.shape(labels)[0], tf.float32)
        adam.apply(tape.gradient(loss, weights), weights)
        hits = tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1) == labels, tf.float32))
        return losses, hits

    return step


def run(
    classifier: model.Classifier,
    train: dataset.ImageSet,
    val: dataset.ImageSet,
    settings: params.Training,
    kept: checkpoint.Checkpoint,
    on_epoch: Callable[[Epoch], None],
) -> FineTuned:
    """Thaws and trains; on return the model has the weights of its best epoch.

    Args:
        classifier: with the head of the first phase in place.
        train, val: every label in [0, C).
        settings: of the whole recipe.
        kept: where the state after each epoch goes and comes from.
        on_epoch: called after each epoch, also for those done before a kill.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    tune = settings.fine_tune
    blocks = len(classifier.backbone.blocks)
    thawed = blocks if tune.blocks == 'all' else min(tune.blocks, blocks)
    backbones.set_trainable(classifier.backbone, thawed, tune.batch_norm)
    steps = -(-len(train) // settings.batch_size)
    policy = augmentation.POLICIES[settings.augmentation]
    adam = optimizer.build(classifier, tune, thawed, steps * tune.epochs)
    adam.build(classifier.model.trainable_variables)
    step = training_step(classifier, adam, tune.label_smoothing)

    reached = _Reached(classifier, adam)
    reached.resume(kept.load())
    if reached.history:
        logging.info('resuming after epoch %d of %d', len(reached.history), tune.epochs)
    for epoch in reached.history:
        on_epoch(epoch)
    progress.start('fine-tuning steps', steps * tune.epochs)
    progress.advance(steps * len(reached.history))
    for number in range(len(reached.history) + 1, tune.epochs + 1):
        if number - reached.best_epoch > tune.patience:
            break
        losses, hits = 0.0, 0.0
        for images, labels in dataset.training_epoch(
            train, settings.batch_size, policy, settings.seed, number
        ):
            batch_losses, batch_hits = step(images, labels)
            losses, hits = losses + float(batch_losses), hits + float(batch_hits)
            progress.advance()
        logits = classifier.predict(val.pixels)
        # The last step of an epoch can break the model after a loss that was still finite.
        if not (np.isfinite(losses) and np.isfinite(logits).all()):
            raise FloatingPointError(
                f'the training diverged in epoch {number} (loss {losses / len(train):g}); '
                f'lower training.fine_tune.learning_rate (now {tune.learning_rate:g})'
            )
        found = scores.score(logits, val.labels)
        epoch = Epoch(
            number, losses / len(train), hits / len(train), found.log_loss, found.accuracy
        )
        reached.add(epoch, found)
        on_epoch(epoch)
        progress.note(f'epoch {number}/{tune.epochs}, val accuracy {found.accuracy:.3f}')
        kept.save(reached.state())
    reached.restore_best()
    return FineTuned(reached.best_epoch, tuple(reached.history), reached.best_val)
