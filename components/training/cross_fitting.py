"""Cross-fitting: every image is judged by weights and choices that saw no image of its fold.

Fold k is judged, the next one chooses (L2 strength, epoch, weights, temperature, threshold), and
the others train; so it goes round. What ships is then fitted to all folds, with what all of them
chose together: each image has then chosen once, by weights that had not learned from it.

Cross-fitting is the sample splitting of Chernozhukov et al., "Double/debiased machine learning",
The Econometrics Journal 2018, with a third part, because a model is also chosen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from thawline.components.saved_model.decision_rule import Rule
from thawline.components.shared import progress
from thawline.components.shared.errors import DataError
from thawline.components.shared.held_out_answers import HeldOutAnswers
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import (
    cross_validation,
    held_out,
    params,
    probe,
    scores,
)
from thawline.components.training.record import FoldRecord, Scores

FEWEST_FOLDS = 3  # one to judge, one to choose, one to train
PARTS = 5  # of val, where the split is plain
NO_SCORES = Scores(0.0, 0.0, 0)


@dataclasses.dataclass(frozen=True)
class Turn:
    """Rows of the images that train, choose and are judged, and the fold of the latter."""

    fold: int
    train: np.ndarray
    choose: np.ndarray
    judge: np.ndarray

    def record(
        self, chosen: Scores, judged: Scores, c: float, best_epoch: int = 0, share: float = 0.0
    ) -> FoldRecord:
        """Of this turn."""
        images = {'train': len(self.train), 'choose': len(self.choose), 'judge': len(self.judge)}
        return FoldRecord(self.fold, images, chosen, judged, c, best_epoch, share)


def rotate(fold: np.ndarray) -> Iterator[Turn]:
    """The turns of the folds, int [N].

    Raises:
        DataError: there are fewer than three folds.
    """
    names = np.unique(fold)
    if len(names) < FEWEST_FOLDS:
        raise DataError(
            f'cross-fitting needs at least {FEWEST_FOLDS} folds, one to judge, one to choose and '
            f'one to train; the images have {len(names)}. Add groups of images, or set '
            'data.split.folds: 0'
        )
    for place, name in enumerate(names):
        chooser = names[(place + 1) % len(names)]
        judge, choose = fold == name, fold == chooser
        yield Turn(int(name), *map(np.flatnonzero, (~(judge | choose), choose, judge)))


def parts_of_val(labels: np.ndarray, clusters: np.ndarray, seed: int = 0) -> np.ndarray:
    """The part of each val image, int [N]: stratified, clusters whole.

    All in one part where there are too few clusters or classes to part them.
    """
    try:
        return cross_validation.assign_folds(labels, clusters, PARTS, seed)
    except DataError:
        return np.zeros(len(labels), np.int64)


@dataclasses.dataclass(frozen=True)
class CrossFittedProbe:
    """The probe over all folds, and the head that ships.

    Attributes:
        answers: out of fold, in the order of the images.
        head: fitted to all images.
        choosing: logits of each image where its fold chose, by the strength of `head`; float32
            [N, C]. The temperature and the threshold of what ships are chosen on them.
        learnt: whether the images that trained then had one of its class: bool [N].
        folds: a record a turn.
    """

    answers: HeldOutAnswers
    head: probe.Head
    choosing: np.ndarray
    learnt: np.ndarray
    folds: tuple[FoldRecord, ...]


def fit_probe(
    features: LabelledSet,
    fold: np.ndarray,
    classes: Sequence[str],
    settings: params.Training,
) -> CrossFittedProbe:
    """Cross-fits the first phase.

    Args:
        features: every label in [0, C); all views of an image train, the plain one is answered.
        fold: int [N].
        classes: C names.
        settings: of the recipe.

    Raises:
        DataError: there are fewer than three folds.
    """
    plain, labels = features.values[:, 0], features.labels
    strengths = probe.L2_PATH
    choosing = np.zeros((len(strengths), len(labels), len(classes)), np.float32)
    learnt, records = np.zeros(len(labels), bool), []
    held = HeldOutAnswers.empty(features.ids, fold, len(classes), by_folds=True)
    turns = list(rotate(fold))
    progress.start('folds', len(turns))
    for turn in turns:
        heads = list(probe.path_of(features.take(turn.train), len(classes), settings))
        chose = turn.choose[np.isin(labels[turn.choose], labels[turn.train])]
        learnt[chose] = True
        choosing[:, chose] = [head.logits(plain[chose]) for head in heads]
        best, rule = _choose(choosing[:, chose], labels[chose], classes, settings)
        held_out.answer(held, turn.judge, rule, heads[best].logits(plain[turn.judge]))
        chosen = scores.score(choosing[best, chose], labels[chose]) if len(chose) else NO_SCORES
        judged = held_out.score(held, labels, turn.judge)
        records.append(turn.record(chosen, judged, heads[best].c))
        progress.advance()
    best, _ = _choose(choosing[:, learnt], labels[learnt], classes, settings)
    *_, head = probe.path_of(features, len(classes), settings, strengths[: best + 1])
    return CrossFittedProbe(held, head, choosing[best], learnt, tuple(records))


def _choose(
    logits: np.ndarray, labels: np.ndarray, classes: Sequence[str], settings: params.Training
) -> tuple[int, Rule]:
    """The place of the best strength and its decision rule: float32 [S, N, C] and int [N]."""
    best = probe.choose_strength(logits, labels) if len(labels) else 0
    return best, held_out.decide(logits[best], labels, classes, settings.decision)
