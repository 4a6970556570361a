"""Second phase: the top blocks of the base at a low learning rate, lower for earlier blocks.

Rates warm up and then fall along a cosine (`optimizer`). The weights of the best epoch on val are
restored at the end (`best_epoch`); training stops early when epochs no longer get better.
"""

from __future__ import annotations

import dataclasses
import logging
import pathlib
from collections.abc import Callable

import numpy as np

from thawline.components.backbones import classifier
from thawline.components.shared import percentages, progress
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import budget, params
from thawline.components.training.checkpoint import CheckpointFile
from thawline.components.training.epoch_trainer import EpochTrainer
from thawline.components.training.learning_curves import sparkline
from thawline.components.training.model_selection import ValPredictions
from thawline.components.training.record import EpochRecord


@dataclasses.dataclass(frozen=True)
class FineTuning:
    """The outcome of the phase.

    Attributes:
        best_epoch: whose weights the model has.
        history: all epochs.
        plan: what was trained.
        left_out: what was asked for and did not fit into the time, for people.
        best: predictions of the best epoch.
        logits: of val after each epoch, float32 [N, C] each.
        predict_val: logits of val by the present weights, of which those below the thawed blocks
            must not have changed.
    """

    best_epoch: int
    history: tuple[EpochRecord, ...]
    plan: budget.ThawPlan
    left_out: tuple[str, ...]
    best: ValPredictions = dataclasses.field(compare=False)
    logits: tuple[np.ndarray, ...] = dataclasses.field(compare=False)
    predict_val: Callable[[], np.ndarray] = dataclasses.field(compare=False)


def run(
    classifier: classifier.Classifier,
    train: LabelledSet,
    val: LabelledSet,
    settings: params.Training,
    checkpoint_file: CheckpointFile,
    on_epoch: Callable[[EpochRecord], None],
    deadline: budget.Deadline | None = None,
    cost: budget.CostEstimate | None = None,
    spool: pathlib.Path | None = None,
) -> FineTuning:
    """Thaws and trains; on return the model has the weights of its best epoch.

    Args:
        classifier: with the head of the first phase in place.
        train, val: every label in [0, C).
        settings: of the whole recipe.
        checkpoint_file: keeps the state after each epoch, and may hold one to resume.
        on_epoch: called after each epoch, also for those done before a kill.
        deadline: of the whole training.
        cost: of forward passes; needed with a deadline.
        spool: folder for what is too large for memory; None: nothing is.

    Raises:
        TooShort: the deadline leaves no time for it; the model is then unchanged.
        FloatingPointError: the loss is no longer finite.
    """
    deadline = deadline or budget.Deadline(None)
    tune, trainer = settings.fine_tune, EpochTrainer(classifier, train, val, settings, spool)
    plan = trainer.start(checkpoint_file.load(), deadline, cost)
    history = trainer.history
    for epoch in history.epochs:
        on_epoch(epoch)
    sides = trainer.sides(plan.epochs)
    total = plan.steps(trainer.steps)
    progress.start('fine-tuning steps', total)
    progress.advance(trainer.steps * len(history.epochs))
    if deadline.seconds is not None:
        progress.note(f'{plan.epochs} epochs of {plan.blocks} blocks fit the budget')
    for number in range(len(history.epochs) + 1, plan.epochs + 1):
        if number - history.best_epoch > tune.patience:
            break
        side = int(sides[number - 1])
        if history.epochs and deadline.remaining is not None:
            last = history.epochs[-1]
            # What is cut short is still of use, unless it is too little.
            share = min(1, total / trainer.steps - (number - 1))
            needed = share * last.seconds * (side / last.side) ** 2
            if deadline.is_over or deadline.remaining < needed / 2:
                logging.warning('stopped after epoch %d: the time budget is used up', number - 1)
                plan = dataclasses.replace(plan, epochs=number - 1, last=1.0)
                break
        began = deadline.now()
        losses, hits, steps = trainer.train(number, total)
        seen = min(len(train), steps * settings.batch_size)
        logits, raw = trainer.predict_with_averages()
        # The last step of an epoch can break the model after a loss that was still finite.
        if not (np.isfinite(losses) and np.isfinite(logits).all()):
            raise FloatingPointError(
                f'the training diverged in epoch {number} (loss {losses / seen:g}); '
                f'lower training.fine_tune.learning_rate (now {tune.learning_rate:g})'
            )
        predictions = ValPredictions.score(logits, val.labels)
        epoch = EpochRecord(
            number,
            losses / seen,
            hits / seen,
            predictions.val.log_loss,
            predictions.val.accuracy,
            trainer.depth(number, plan.epochs),
            max(trainer.learning_rate(number, step, total) for step in range(steps)),
            deadline.now() - began,
            side,
        )
        history.add(epoch, predictions)
        if raw is not None:
            raw.restore()
        on_epoch(epoch)
        trend = sparkline([past.val_accuracy for past in history.epochs])
        accuracy = percentages.percent(epoch.val_accuracy)
        progress.note(f'epoch {number}/{plan.epochs}, val {accuracy} {trend}')
        checkpoint_file.save(history.checkpoint(deadline.elapsed))
        if (number - 1) * trainer.steps + steps < min(number * trainer.steps, total):
            logging.warning('epoch %d was cut short: the time budget is used up', number)
            plan = dataclasses.replace(plan, epochs=number, last=steps / trainer.steps)
            break
    history.restore_best()
    assert history.best is not None
    return FineTuning(
        history.best_epoch,
        tuple(history.epochs),
        plan,
        plan.omissions(tune.epochs, trainer.requested_blocks),
        history.best,
        tuple(history.logits),
        trainer.predict_val,
    )
