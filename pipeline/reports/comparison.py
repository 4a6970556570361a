"""Compares two runs: judges them on images that neither has seen, shows all that both evaluated.

The first run is called A, the second B; every difference is B less A.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from thawline.components.evaluation.metrics import NO_ANSWER, Answers
from thawline.components.evaluation.predictions import Predictions
from thawline.components.report import formatting, metrics
from thawline.components.report.content import FactCard
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.splits import EVALUATED, VAL
from thawline.components.shared.text import abbreviate
from thawline.components.statistics import paired
from thawline.components.statistics.paired_outcome import Difference, PairedTest
from thawline.components.statistics.proportions import Interval
from thawline.pipeline.reports import bootstrap, comparison_cards, judged_images
from thawline.pipeline.reports.compared_run import ComparedRun


@dataclasses.dataclass(frozen=True)
class MetricPair:
    """A metric of both runs; None where it is undefined."""

    name: str
    first: float | None
    second: float | None
    difference: Difference | None


@dataclasses.dataclass(frozen=True)
class ClassPair:
    """Recall of a class in both runs."""

    name: str
    first: Interval
    second: Interval
    difference: Difference


@dataclasses.dataclass(frozen=True)
class PairedResults:
    """Both runs on the same images.

    Attributes:
        first, second: accuracies.
        test: of B beside A; its outcome counts on images that neither model has seen alone.
        metrics: named as in `content.SplitResults`; of one split only.
        classes: those that have an image; of one split only.
        folds: in how many B was judged on them; 0 with a plain split, and where it was otherwise.
    """

    first: Interval
    second: Interval
    test: PairedTest
    metrics: tuple[MetricPair, ...] = ()
    classes: tuple[ClassPair, ...] = ()
    folds: int = 0


@dataclasses.dataclass(frozen=True)
class Flip:
    """An image that only one run classifies correctly.

    Where the other run has no answer, it is a dash and its score is None.
    """

    id: str
    path: str
    split: str
    label: str
    first_answer: str
    first_score: float | None
    second_answer: str
    second_score: float | None

    @property
    def gained(self) -> bool:
        """Whether B is correct."""
        return self.second_score is not None and self.second_answer == self.label

    @property
    def wrong_score(self) -> float:
        """The score of the wrong answer."""
        return (self.first_score if self.gained else self.second_score) or 0.0


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The whole comparison.

    Attributes:
        project: name of the project of B.
        first, second: ids of the runs, A and B.
        unseen: on images that neither model has seen, which alone say what is better; None
            where there is no record of what they have seen.
        shared_classes: whether one of the models knows a class that the other does not.
        splits: on all images that both evaluated, by split of B; those that have images.
        flips: the most confident wrong answers first.
        cards: the compared images, and what differs between the runs.
    """

    project: str
    first: str
    second: str
    unseen: PairedResults | None
    shared_classes: bool
    splits: dict[str, PairedResults]
    flips: tuple[Flip, ...]
    cards: tuple[FactCard, ...]


def compare(first: ComparedRun, second: ComparedRun) -> Comparison:
    """Compares two runs.

    Labels are those of the second run. Images of a class that only one of the models knows are left
    out: the other model cannot predict it. Where the probabilities of a run are not finite, it has
    no answer, which counts as wrong.

    Raises:
        ConfigError: there is no image to judge or to show.
    """
    a, b = first.predictions, second.predictions
    row_in_a = {str(name): row for row, name in enumerate(a.ids)}
    shared = np.array([row for row, name in enumerate(b.ids) if str(name) in row_in_a], np.int64)
    is_known = np.isin(np.array(b.classes), np.array(a.classes))
    rows = shared[b.labels[shared] >= 0]
    rows = rows[is_known[b.labels[rows]]]
    images = judged_images.judged(first, second)
    if not len(rows) and (images is None or not len(images.first)):
        raise ConfigError(_incomparable(first, second, len(shared)))
    first_rows = np.array([row_in_a[str(name)] for name in b.ids[rows]], np.int64)
    classes = tuple(dict.fromkeys((*b.classes, *a.classes)))
    answers_a = _answers(a, first_rows, classes, b.labels[rows])
    answers_b = _answers(b, rows, classes, b.labels[rows])
    # That of the candidate, where one of the two is the baseline of the other.
    level = first.level if first.baseline and first.baseline == second.model else second.level
    return Comparison(
        project=second.project,
        first=first.run,
        second=second.run,
        unseen=None
        if images is None
        else _paired(images.first, images.second, images.clusters, level),
        shared_classes=set(a.classes) != set(b.classes),
        splits={
            split: dataclasses.replace(
                _paired_split(
                    answers_a, answers_b, b.clusters[rows], b.splits[rows] == split, classes, level
                ),
                folds=second.folds if split == VAL else 0,
            )
            for split in EVALUATED
            if (b.splits[rows] == split).any()
        },
        flips=_flips(b, rows, answers_a, answers_b, classes),
        cards=(
            comparison_cards.images(
                first, second, shared, rows, first_rows, (answers_a, answers_b)
            ),
            comparison_cards.changes(first, second),
        ),
    )


def _incomparable(first: ComparedRun, second: ComparedRun, shared: int) -> str:
    a, b = first.predictions, second.predictions
    if shared and not set(a.classes) & set(b.classes):
        reason = (
            f'they have no class in common ({abbreviate(a.classes, 5)} against '
            f'{abbreviate(b.classes, 5)})'
        )
    elif shared:
        reason = f'none of the {shared:,} images that both evaluated has a label that both know'
    else:
        reason = f'they have no evaluated image in common ({len(a):,} and {len(b):,} images)'
    return f'runs {first.run} and {second.run} cannot be compared: {reason}'


def _answers(
    predictions: Predictions, rows: np.ndarray, classes: tuple[str, ...], labels: np.ndarray
) -> Answers:
    """Answers in the class list of both runs; a class that a model lacks has probability 0."""
    own = Answers.from_predictions(predictions, rows)
    positions = np.array([classes.index(name) for name in predictions.classes], np.int64)
    answers = np.where(own.has_answer, positions[np.maximum(own.answers, 0)], NO_ANSWER)
    probabilities = np.zeros((len(rows), len(classes)), np.float32)
    probabilities[:, positions] = own.probabilities
    return Answers(labels, answers, own.scores, probabilities)


def _paired(
    first: np.ndarray, second: np.ndarray, clusters: np.ndarray, level: float
) -> PairedResults:
    """Of hits, bool [N], on the same images, whose clusters are named: str [N]."""
    won, lost = int((second & ~first).sum()), int((first & ~second).sum())
    return PairedResults(
        first=metrics.accuracy(first, clusters),
        second=metrics.accuracy(second, clusters),
        test=paired.compare(
            won, lost, len(first), level, paired.pair_tally(second, first, clusters)
        ),
    )


def _paired_split(
    first: Answers,
    second: Answers,
    clusters: np.ndarray,
    in_split: np.ndarray,
    classes: tuple[str, ...],
    level: float,
) -> PairedResults:
    first, second, clusters = first.take(in_split), second.take(in_split), clusters[in_split]
    return dataclasses.replace(
        _paired(first.hits, second.hits, clusters, level),
        metrics=tuple(_metrics(first, second, clusters)),
        classes=tuple(_classes(first, second, clusters, classes)),
    )


def _classes(
    first: Answers, second: Answers, clusters: np.ndarray, classes: tuple[str, ...]
) -> Iterator[ClassPair]:
    for position in np.unique(first.labels).tolist():
        of_class = first.labels == position
        first_hits, second_hits = first.hits[of_class], second.hits[of_class]
        yield ClassPair(
            classes[position],
            metrics.accuracy(first_hits, clusters[of_class]),
            metrics.accuracy(second_hits, clusters[of_class]),
            _difference(first_hits, second_hits, clusters[of_class]),
        )


def _difference(first: np.ndarray, second: np.ndarray, clusters: np.ndarray) -> Difference:
    tally = paired.pair_tally(second, first, clusters)
    won, lost = int((second & ~first).sum()), int((first & ~second).sum())
    return paired.cluster_difference(won, lost, len(first), tally)


def _metrics(first: Answers, second: Answers, clusters: np.ndarray) -> Iterator[MetricPair]:
    second_values = metrics.overall(second)
    intervals = bootstrap.difference_intervals(first, second, clusters)
    for name, value in metrics.overall(first).items():
        other, difference = second_values[name], None
        if value is not None and other is not None:
            difference = Difference(other - value, *(intervals.get(name) or (None, None)))
        yield MetricPair(name, value, other, difference)


def _flips(
    predictions: Predictions,
    rows: np.ndarray,
    first: Answers,
    second: Answers,
    classes: tuple[str, ...],
) -> tuple[Flip, ...]:
    flips = [
        Flip(
            str(predictions.ids[rows[i]]),
            str(predictions.paths[rows[i]]),
            str(predictions.splits[rows[i]]),
            classes[first.labels[i]],
            *_answer(first, i, classes),
            *_answer(second, i, classes),
        )
        for i in np.flatnonzero(first.hits != second.hits).tolist()
    ]
    return tuple(sorted(flips, key=lambda flip: (-flip.wrong_score, flip.path)))


def _answer(answers: Answers, i: int, classes: tuple[str, ...]) -> tuple[str, float | None]:
    if answers.answers[i] == NO_ANSWER:
        return formatting.ABSENT, None
    return classes[answers.answers[i]], float(answers.scores[i])
