"""Second phase: the top blocks of the base at a low learning rate, lower for earlier blocks.

Each block has an optimizer of its own: under Adam, scaling a gradient is not scaling its rate.
Rates warm up and then fall along a cosine. BatchNorm keeps its statistics. The weights of the epoch
with the best val accuracy (of equals, the lowest val loss) are restored at the end; training stops
early when it no longer improves. The loss alone would judge wrong here: it is smoothed in training,
so it can rise while the classes become easier to tell apart.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components import backbones, progress
from components.training import augmentation, checkpoint, dataset, model, params, scores


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


def block_rates(peak: float, decay: float, thawed: int) -> list[float]:
    """Peak rate of each thawed block from the lowest to the top one; the top block has `peak`."""
    return [peak * decay ** (thawed - 1 - i) for i in range(thawed)]


def _schedule(peak: float, steps: int, warmup: float) -> keras.optimizers.schedules.CosineDecay:
    warm = int(steps * warmup)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warm else peak,
        decay_steps=max(1, steps - warm),
        warmup_target=peak if warm else None,
        warmup_steps=warm,
    )


def build_optimizer(
    classifier: model.Classifier, settings: params.FineTune, thawed: int, steps: int
) -> keras.optimizers.Optimizer:
    """AdamW a block, with the rates of `block_rates`; the head learns as the top block does."""

    def adam(name: str, peak: float) -> keras.optimizers.Optimizer:
        optimizer = keras.optimizers.AdamW(
            learning_rate=_schedule(peak, steps, settings.warmup),
            weight_decay=settings.weight_decay,
            name=name,
        )
        # Decaying biases and BatchNorm scales towards 0 would undo what pretraining found.
        optimizer.exclude_from_weight_decay(var_names=['bias', 'gamma', 'beta'])
        return optimizer

    top = adam('adam_head', settings.learning_rate)
    by_path = {}
    blocks = classifier.backbone.blocks[len(classifier.backbone.blocks) - thawed :]
    rates = block_rates(settings.learning_rate, settings.block_decay, thawed)
    for number, (block, rate) in enumerate(zip(blocks, rates, strict=True)):
        optimizer = adam(f'adam_block_{number}', rate)
        for layer in block.layers:
            by_path.update({v.path: optimizer for v in layer.trainable_variables})
    return keras.optimizers.MultiOptimizer(lambda variable: by_path.get(variable.path, top))


class _Progress(keras.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        progress.advance()


def _training_state(classifier: model.Classifier) -> dict[str, keras.Variable]:
    """Everything that changes: thawed weights, optimizer slots, the state of random layers."""
    seeds = [v for v in classifier.model.non_trainable_variables if 'seed' in v.path]
    variables = [*classifier.model.trainable_variables, *seeds, *_slots(classifier)]
    return {f'v{i}': variable for i, variable in enumerate(variables)}


def _slots(classifier: model.Classifier) -> list[keras.Variable]:
    optimizer = classifier.model.optimizer
    parts = getattr(optimizer, 'optimizers', [optimizer])
    return [variable for part in parts for variable in part.variables]


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
    classes = classifier.head.units
    policy = augmentation.POLICIES[settings.augmentation]
    classifier.model.compile(
        optimizer=build_optimizer(classifier, tune, thawed, steps * tune.epochs),
        loss=keras.losses.CategoricalCrossentropy(True, label_smoothing=tune.label_smoothing),
        metrics=['categorical_accuracy'],
    )
    classifier.model.optimizer.build(classifier.model.trainable_variables)

    weights = classifier.model.trainable_variables
    history: list[Epoch] = []
    best_epoch, best_val = 0, scores.Scores(-1.0, math.inf, len(val))
    best = [variable.numpy() for variable in weights]
    changing = _training_state(classifier)
    state = kept.load()
    if state is not None and set(changing) <= set(state.arrays):
        for name, variable in changing.items():
            variable.assign(state.arrays[name])
        best = [state.arrays[f'best{i}'] for i in range(len(weights))]
        history = [Epoch(**epoch) for epoch in state.meta['history']]
        best_epoch, best_val = state.meta['best_epoch'], scores.Scores(**state.meta['best_val'])
        logging.info('resuming after epoch %d of %d', len(history), tune.epochs)
        for epoch in history:
            on_epoch(epoch)

    progress.start('fine-tuning steps', steps * tune.epochs)
    progress.advance(steps * len(history))
    for number in range(len(history) + 1, tune.epochs + 1):
        if number - best_epoch > tune.patience:
            break
        batches = dataset.training_epoch(train, settings.batch_size, policy, settings.seed, number)
        one_hot = batches.map(lambda x, y: (x, tf.one_hot(y, classes)))
        fit = classifier.model.fit(one_hot, shuffle=False, verbose=0, callbacks=[_Progress()])
        loss, logits = fit.history['loss'][-1], classifier.predict(val.pixels)
        # The last step of an epoch can break the model after a loss that was still finite.
        if not (np.isfinite(loss) and np.isfinite(logits).all()):
            raise FloatingPointError(
                f'the training diverged in epoch {number} (loss {loss:g}); '
                f'lower training.fine_tune.learning_rate (now {tune.learning_rate:g})'
            )
        reached = scores.score(logits, val.labels)
        epoch = Epoch(
            number,
            float(fit.history['loss'][-1]),
            float(fit.history['categorical_accuracy'][-1]),
            reached.log_loss,
            reached.accuracy,
        )
        history.append(epoch)
        if reached.better_than(best_val):
            best_epoch, best_val = number, reached
            best = [variable.numpy() for variable in weights]
        on_epoch(epoch)
        progress.note(f'epoch {number}/{tune.epochs}, val accuracy {reached.accuracy:.3f}')
        kept.save(
            checkpoint.State(
                {name: np.asarray(variable) for name, variable in changing.items()}
                | {f'best{i}': array for i, array in enumerate(best)},
                {
                    'history': [dataclasses.asdict(e) for e in history],
                    'best_epoch': best_epoch,
                    'best_val': dataclasses.asdict(best_val),
                },
            )
        )
    for variable, array in zip(weights, best, strict=True):
        variable.assign(array)
    return FineTuned(best_epoch, tuple(history), best_val)
