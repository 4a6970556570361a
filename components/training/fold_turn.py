"""One turn of cross-fitted fine-tuning: a whole training that never saw the fold it judges."""

from __future__ import annotations

import dataclasses
import logging
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from thawline.components.backbones import classifier as model
from thawline.components.backbones.features import Features
from thawline.components.shared.errors import DataError
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import (
    budget,
    params,
    recipe,
)
from thawline.components.training.checkpoint import Checkpoint, CheckpointFile
from thawline.components.training.cross_fitting import Turn
from thawline.components.training.record import (
    TrainingRecord,
)


@dataclasses.dataclass(frozen=True)
class FoldSets:
    """The images of all folds, every label in [0, C).

    Attributes:
        kind: of the features.
        features: float32 [N, V, D].
        fold: int [N].
        images: reads the pixels of the same images in the same order.
    """

    kind: Features
    features: LabelledSet
    fold: np.ndarray
    images: Callable[[], LabelledSet]


@dataclasses.dataclass(frozen=True)
class TurnResult:
    """A turn's training.

    Attributes:
        turn: whose rows it has; those that chose are of classes that it learned.
        judged: logits of the images that are judged, float32 [J, C].
        kept: logits of those that chose, by what was kept; float32 [N, C].
        path: the same by the probe of each strength, float32 [S, N, C].
        shares: the same by weights between the frozen base (0) and the best epoch (1).
        record: of the training.
        weights: of what was kept, by the variables of the classifier.
    """

    turn: Turn
    judged: np.ndarray
    kept: np.ndarray
    path: np.ndarray
    shares: Mapping[float, np.ndarray]
    record: TrainingRecord
    weights: Sequence[np.ndarray]

    def checkpoint(self) -> Checkpoint:
        """All but the turn."""
        arrays = {'judged': self.judged, 'kept': self.kept, 'path': self.path}
        arrays |= {f'share{share:g}': logits for share, logits in self.shares.items()}
        arrays |= {f'weight{place}': array for place, array in enumerate(self.weights)}
        shares = sorted(self.shares)
        meta = {'record': self.record.to_json(None), 'shares': shares}
        return Checkpoint(arrays, meta)

    @classmethod
    def of(cls, turn: Turn, saved: Checkpoint) -> TurnResult:
        """From a checkpoint."""
        arrays, meta = saved.arrays, saved.meta
        return cls(
            turn,
            arrays['judged'],
            arrays['kept'],
            arrays['path'],
            {share: arrays[f'share{share:g}'] for share in meta['shares']},
            TrainingRecord.from_json(meta['record'], 'the checkpoint of a fold'),
            [arrays[f'weight{place}'] for place in range(sum(map(_is_weight, arrays)))],
        )


def _is_weight(name: str) -> bool:
    return name.startswith('weight')


def resume_or_train(
    turn: Turn,
    trainer: Callable[[Turn, CheckpointFile], TurnResult],
    checkpoint_file: CheckpointFile,
    number: int,
) -> TurnResult:
    done = checkpoint_file.child(f'fold{number}-done')
    if (saved := done.load()) is not None:
        logging.info('fold %d was trained before', number)
        return TurnResult.of(turn, saved)
    epochs = checkpoint_file.child(f'fold{number}')
    result = trainer(turn, epochs)
    done.save(result.checkpoint())
    epochs.clear()
    return result


def train_turn(
    classes: tuple[str, ...],
    sets: FoldSets,
    images: LabelledSet,
    settings: params.Training,
    spool: pathlib.Path | None,
    deadline: budget.Deadline,
    log: tf.summary.SummaryWriter,
    classifier: model.Classifier,
    turn: Turn,
    checkpoint_file: CheckpointFile,
) -> TurnResult:
    """Runs the recipe on the images of a turn.

    Raises:
        DataError: all images that train are of one class, or none that chooses is of a class of
            theirs.
    """
    features, labels = sets.features, sets.features.labels
    chose = turn.choose[np.isin(labels[turn.choose], labels[turn.train])]
    if len(chose) == 0 or len(np.unique(labels[turn.train])) < 2:
        raise DataError(
            f'without fold {turn.fold} and the next one, which chooses, too few classes are left '
            'to train on; add groups of the rarer classes, or set data.split.folds: 0'
        )
    trained = recipe.train(
        classifier.backbone,
        classes,
        recipe.FeatureSets(sets.kind, features.take(turn.train), features.take(chose)),
        lambda: (images.take(turn.train), images.take(chose)),
        settings,
        checkpoint_file,
        log,
        spool,
        deadline,
        may_lack_classes=True,
        built=classifier,
    )
    choices = trained.choices
    shares = dict(choices.between)
    if choices.epochs:
        shares[1.0] = choices.epochs[choices.best_epoch - 1]
    return TurnResult(
        dataclasses.replace(turn, choose=chose),
        trained.classifier.predict(images.values[turn.judge]),
        trained.val_logits,
        choices.path,
        shares,
        trained.record,
        [variable.numpy() for variable in trained.classifier.model.variables],
    )
