"""Fine-tuning, cross-fitted: a whole training for each fold; the mean of their weights ships."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from thawline.components import backbones
from thawline.components.backbones import classifier as model
from thawline.components.shared import progress
from thawline.components.shared.held_out_answers import HeldOutAnswers
from thawline.components.training import (
    budget,
    cross_fitting,
    decision_threshold,
    fold_turn,
    held_out,
    params,
    probe,
    refit,
    scores,
    training_sets,
    weight_average,
)
from thawline.components.training.best_epoch import Snapshot
from thawline.components.training.checkpoint import CheckpointFile
from thawline.components.training.fold_turn import FoldSets, TurnResult
from thawline.components.training.model_selection import ValPredictions
from thawline.components.training.record import (
    CalibratedScores,
    EpochRecord,
    FineTuneRecord,
    ProbeRecord,
    Scores,
    TrainingRecord,
    ValidationRecord,
)
from thawline.components.training.validated_classifier import ValidatedClassifier


def train(
    backbone: backbones.Backbone,
    classes: tuple[str, ...],
    sets: FoldSets,
    settings: params.Training,
    checkpoint_file: CheckpointFile,
    log: tf.summary.SummaryWriter,
    spool: pathlib.Path | None,
    deadline: budget.Deadline,
) -> ValidatedClassifier:
    """Trains a model for each fold, and then what ships.

    Args:
        backbone: the base; changed in place.
        classes: C names.
        sets: the images.
        settings: of the recipe.
        checkpoint_file: a killed training goes on in the fold where it was.
        log: receives the curves of what was trained last.
        spool: folder for what is too large for memory.
        deadline: of all of it.

    Raises:
        ConfigError, DataError, FloatingPointError: as `recipe.train`.
    """
    started = time.monotonic()
    progress.start('reading images')
    images = sets.images()
    training_sets.check_same('labelled', images, sets.features)
    seconds = {'read': time.monotonic() - started}
    started = time.monotonic()
    # One for all turns: compiling its step takes as long as several epochs of few images.
    classifier = refit.build(backbone, sets.kind, len(classes), settings)
    start = Snapshot(classifier.model.variables)
    turns = list(cross_fitting.rotate(sets.fold))
    results = []
    for number, turn in enumerate(turns, 1):
        progress.note(f'fold {number}/{len(turns)}')
        later = sum(len(other.train) for other in turns[number:])
        part = deadline.part(len(turn.train) / (len(turn.train) + later))
        trainer = functools.partial(
            fold_turn.train_turn, classes, sets, images, settings, spool, part, log, classifier
        )
        results.append(fold_turn.resume_or_train(turn, trainer, checkpoint_file, number))
        start.restore()
    seconds['folds'] = time.monotonic() - started
    started = time.monotonic()
    outcome = _ship(classifier, classes, sets, settings, results)
    seconds['all images'] = time.monotonic() - started
    for number in range(1, len(turns) + 1):
        checkpoint_file.child(f'fold{number}').clear()
        checkpoint_file.child(f'fold{number}-done').clear()
    record = dataclasses.replace(outcome.record, seconds=seconds)
    return dataclasses.replace(outcome, record=record)


def _ship(
    classifier: model.Classifier,
    classes: tuple[str, ...],
    sets: FoldSets,
    settings: params.Training,
    results: Sequence[TurnResult],
) -> ValidatedClassifier:
    """Makes one model of the folds', and puts the record together.

    The mean of their weights; where all of them kept the probe, that of all images, which costs
    nothing.
    """
    features, labels = sets.features, sets.features.labels
    answers = HeldOutAnswers.empty(features.ids, sets.fold, len(classes), by_folds=True)
    folds = []
    for result in results:
        turn, record = result.turn, result.record
        chosen = labels[turn.choose]
        rule = held_out.decide(result.kept, chosen, classes, settings.decision)
        held_out.answer(answers, turn.judge, rule, result.judged)
        judged = held_out.score(answers, labels, turn.judge)
        tuned = record.fine_tune
        folds.append(
            turn.record(
                record.val, judged, record.probe.c, tuned.best_epoch if tuned else 0, record.share
            )
        )
    rows = np.concatenate([result.turn.choose for result in results])
    own = labels[rows]
    path = np.concatenate([result.path for result in results], axis=1)
    strength = probe.choose_strength(path, own)
    c = probe.L2_PATH[strength]
    classifier, head = refit.fit(classifier, (features, None), settings, refit.Choice(c))
    are_thawed = any(result.record.share for result in results)
    if are_thawed:
        knows = [np.isin(np.arange(len(classes)), labels[r.turn.train]) for r in results]
        weight_average.assign(classifier, [r.weights for r in results], np.array(knows))
    interpolation = _score_shares(results, path[strength], own)

    judged = held_out.score(answers, labels)
    kept = np.concatenate([result.kept for result in results])
    rule, decision = decision_threshold.decide(kept, own, classes, settings.decision)
    first = results[0].record
    record = TrainingRecord(
        classes=classes,
        images={'train': len(features), 'val': len(features)},
        soft_labels=int((features.confidence < 1).sum()) if settings.soft_labels else 0,
        probe=ProbeRecord(
            c,
            scores.score(head.logits(features.values[:, 0]), labels),
            scores.score(path[strength], own),
        ),
        val=scores.score(kept, own),
        kept='averaged' if are_thawed else 'probe',
        share=float(np.mean([result.record.share for result in results])),
        left_out=_left_out(results),
        fine_tune=_fine_tune_record(results, interpolation),
        interpolation={f'{share:g}': p for share, p in interpolation.items()} or None,
        augmentation=first.augmentation,
        decision=decision,
        validation=ValidationRecord(
            'folds', judged, tuple(folds), 0 if are_thawed else len(features)
        ),
    )
    return ValidatedClassifier(classifier, rule, record, answers)


def _score_shares(
    results: Sequence[TurnResult], probed: np.ndarray, labels: np.ndarray
) -> dict[float, CalibratedScores]:
    """Scores of weights between base and best epoch, each image by what had not learned from it.

    Args:
        results: of the turns.
        probed: logits of the images that chose, by the probe that was chosen; float32 [N, C].
        labels: of them.

    Returns:
        By share, as far as all folds have it; empty where one was not fine-tuned.
    """
    if any(result.record.fine_tune is None for result in results):
        return {}
    common = set.intersection(*(set(result.shares) for result in results))
    logits = {0.0: probed} | {
        share: np.concatenate([result.shares[share] for result in results])
        for share in sorted(common)
    }
    return {
        share: ValPredictions.score(each, labels).calibrated_scores(labels)
        for share, each in logits.items()
    }


def _left_out(results: Sequence[TurnResult]) -> tuple[str, ...]:
    """What did not fit into the budget, for people; the folds differ little in it."""
    if any(result.record.left_out and result.record.fine_tune is None for result in results):
        return (
            f'fine-tuning in each of {len(results)} folds; data.split.folds: 0 needs a fraction of '
            'the time',
        )
    return max((result.record.left_out for result in results), key=len)


def _fine_tune_record(
    results: Sequence[TurnResult], scored: Mapping[float, CalibratedScores]
) -> FineTuneRecord | None:
    """The mean of the folds, epoch by epoch, as far as all of them went."""
    tuned = [r.record.fine_tune for r in results if r.record.fine_tune is not None]
    if not tuned or 1.0 not in scored:
        return None
    best = round(float(np.median([record.best_epoch for record in tuned])))
    history = tuple(_mean_epochs(tuned))
    end = scored[1.0]
    return FineTuneRecord(
        min(best, len(history)),
        round(float(np.median([record.blocks for record in tuned]))),
        max(record.epochs for record in tuned),
        Scores(end.accuracy, end.log_loss, end.n),
        history,
    )


def _mean_epochs(tuned: Sequence[FineTuneRecord]) -> Iterator[EpochRecord]:
    for epochs in zip(*(record.history for record in tuned), strict=False):
        first = epochs[0]
        mean = {
            name: float(np.mean([getattr(epoch, name) for epoch in epochs]))
            for name in ('train_loss', 'train_accuracy', 'val_loss', 'val_accuracy', 'seconds')
        }
        yield dataclasses.replace(first, **mean)
