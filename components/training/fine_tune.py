"""Second phase: the top blocks of the base at a low learning rate, lower for earlier blocks.

Rates warm up and then fall along a cosine (`optimizer`). The weights of the epoch that is best on
val are restored at the end; training stops early when none is better any more. Which one is better
tells `choice.choose`, as between the frozen base and the fine-tuned model.
"""

from __future__ import annotations

import dataclasses
import logging
import pathlib
import time
from collections.abc import Callable

import numpy as np

from thawline.components.backbones import classifier
from thawline.components.shared import percentages, progress
from thawline.components.training import budget, checkpoint, image_set, params, scores
from thawline.components.training.best_epoch import EpochRecord
from thawline.components.training.epoch_trainer import EpochTrainer
from thawline.components.training.learning_curves import sparkline
from thawline.components.training.model_selection import ValPredictions


@dataclasses.dataclass(frozen=True)
class FineTuning:
    """The phase's outcome.

    Attributes:
        best_epoch: whose weights the model has.
        history: all epochs.
        plan: what was trained.
        left_out: what was asked for and had no time, for people.
        best: what the best epoch makes of val.
        look: gives the logits of val by the weights that the model has when it is called; below the
            thawed blocks they must be those of before.
    """

    best_epoch: int
    history: tuple[EpochRecord, ...]
    plan: budget.ThawPlan
    left_out: list[str]
    best: ValPredictions = dataclasses.field(compare=False)
    look: Callable[[], np.ndarray] = dataclasses.field(compare=False)


def run(
    classifier: classifier.Classifier,
    train: image_set.ImageSet,
    val: image_set.ImageSet,
    settings: params.Training,
    kept: checkpoint.CheckpointFile,
    on_epoch: Callable[[EpochRecord], None],
    deadline: budget.Deadline | None = None,
    spool: pathlib.Path | None = None,
) -> FineTuning | None:
    """Thaws and trains; on return the model has the weights of its best epoch.

    Args:
        classifier: with the head of the first phase in place.
        train, val: every label in [0, C).
        settings: of the whole recipe.
        kept: where the state after each epoch goes and comes from.
        on_epoch: called after each epoch, also for those done before a kill.
        deadline: of the whole training.
        spool: folder for what is too large for memory; None: nothing is.

    Returns:
        None when there was no time for it; the model is then as it was.

    Raises:
        FloatingPointError: the loss is no longer finite.
    """
    deadline = deadline or budget.Deadline(None)
    tune, epochs = settings.fine_tune, EpochTrainer(classifier, train, val, settings, spool)
    planned = epochs.begin(kept.load(), deadline)
    if not planned.epochs:
        return None
    reached = epochs.reached
    for epoch in reached.history:
        on_epoch(epoch)
    sides = epochs.sides(planned.epochs)
    progress.start('fine-tuning steps', epochs.steps * planned.epochs)
    progress.advance(epochs.steps * len(reached.history))
    for number in range(len(reached.history) + 1, planned.epochs + 1):
        if number - reached.best_epoch > tune.patience:
            break
        side = int(sides[number - 1])
        if reached.history and deadline.left is not None:
            last = reached.history[-1]
            if deadline.left < last.seconds * (side / last.side) ** 2:
                logging.warning('stopped after epoch %d: the budget is spent', number - 1)
                planned = dataclasses.replace(planned, epochs=number - 1)
                break
        began = time.monotonic()
        losses, hits = epochs.epoch(number, planned.epochs)
        logits, raw = epochs.look_at_averages()
        # The last step of an epoch can break the model after a loss that was still finite.
        if not (np.isfinite(losses) and np.isfinite(logits).all()):
            raise FloatingPointError(
                f'the training diverged in epoch {number} (loss {losses / len(train):g}); '
                f'lower training.fine_tune.learning_rate (now {tune.learning_rate:g})'
            )
        found = scores.score(logits, val.labels)
        epoch = EpochRecord(
            number,
            losses / len(train),
            hits / len(train),
            found.log_loss,
            found.accuracy,
            epochs.depth(number, planned.epochs),
            max(epochs.rate(number, step, planned.epochs) for step in range(epochs.steps)),
            time.monotonic() - began,
            side,
        )
        reached.add(epoch, ValPredictions(logits, found))
        if raw is not None:
            raw.restore()
        on_epoch(epoch)
        trend = sparkline([past.val_accuracy for past in reached.history])
        reach = percentages.percent(found.accuracy)
        progress.note(f'epoch {number}/{planned.epochs}, val {reach} {trend}')
        kept.save(reached.state(deadline.spent))
    reached.restore_best()
    assert reached.best is not None
    return FineTuning(
        reached.best_epoch,
        tuple(reached.history),
        planned,
        planned.left_out(tune.epochs, epochs.wanted),
        reached.best,
        epochs.look,
    )
