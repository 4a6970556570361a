"""Compares two runs on the images that both evaluated, and tests whether they differ by chance.

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
from thawline.components.shared.splits import EVALUATED
from thawline.components.shared.text import abbreviate
from thawline.components.statistics.paired import Difference, McNemar, mcnemar, share_difference
from thawline.components.statistics.proportions import Interval
from thawline.pipeline.reports import bootstrap, comparison_cards
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
        difference: of the accuracies.
        only_first, only_second: images that only one run classifies correctly.
        test: McNemar's, `worse` and `better` of A.
        metrics: named as in `content.SplitResults`; of one split only.
        classes: those that have an image; of one split only.
    """

    first: Interval
    second: Interval
    difference: Difference
    only_first: int
    only_second: int
    test: McNemar
    metrics: tuple[MetricPair, ...] = ()
    classes: tuple[ClassPair, ...] = ()


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
        overall: on all images that both evaluated.
        splits: the same by split of B; those that have images.
        flips: the most confident wrong answers first.
        cards: the compared images, and what differs between the runs.
    """

    project: str
    first: str
    second: str
    overall: PairedResults
    splits: dict[str, PairedResults]
    flips: tuple[Flip, ...]
    cards: tuple[FactCard, ...]


def compare(first: ComparedRun, second: ComparedRun) -> Comparison:
    """Compares two runs on the labelled images that both evaluated.

    Labels are those of the second run. Images of a class that only one of the models knows are left
    out: the other model cannot predict it. Where the probabilities of a run are not finite, it has
    no answer, which counts as wrong.

    Raises:
        ConfigError: there is no such image.
    """
    a, b = first.predictions, second.predictions
    row_in_a = {str(name): row for row, name in enumerate(a.ids)}
    shared = np.array([row for row, name in enumerate(b.ids) if str(name) in row_in_a], np.int64)
    is_known = np.isin(np.array(b.classes), np.array(a.classes))
    rows = shared[b.labels[shared] >= 0]
    rows = rows[is_known[b.labels[rows]]]
    if not len(rows):
        raise ConfigError(_incomparable(first, second, len(shared)))
    first_rows = np.array([row_in_a[str(name)] for name in b.ids[rows]], np.int64)
    classes = tuple(dict.fromkeys((*b.classes, *a.classes)))
    answers_a = _answers(a, first_rows, classes, b.labels[rows])
    answers_b = _answers(b, rows, classes, b.labels[rows])
    return Comparison(
        project=second.project,
        first=first.run,
        second=second.run,
        overall=_paired(answers_a, answers_b),
        splits={
            split: _paired_split(answers_a, answers_b, b.splits[rows] == split, classes)
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


def _paired(first: Answers, second: Answers) -> PairedResults:
    only_first, only_second = _disagreements(first.hits, second.hits)
    return PairedResults(
        first=metrics.accuracy(first.hits),
        second=metrics.accuracy(second.hits),
        difference=share_difference(only_first, only_second, len(first)),
        only_first=only_first,
        only_second=only_second,
        test=mcnemar(only_first, only_second),
    )


def _disagreements(first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    """How many images only the first, and only the second run classifies correctly."""
    return int((first & ~second).sum()), int((second & ~first).sum())


def _paired_split(
    first: Answers, second: Answers, in_split: np.ndarray, classes: tuple[str, ...]
) -> PairedResults:
    first, second = first.take(in_split), second.take(in_split)
    return dataclasses.replace(
        _paired(first, second),
        metrics=tuple(_metrics(first, second)),
        classes=tuple(_classes(first, second, classes)),
    )


def _classes(first: Answers, second: Answers, classes: tuple[str, ...]) -> Iterator[ClassPair]:
    for position in np.unique(first.labels).tolist():
        of_class = first.labels == position
        first_hits, second_hits = first.hits[of_class], second.hits[of_class]
        yield ClassPair(
            classes[position],
            metrics.accuracy(first_hits),
            metrics.accuracy(second_hits),
            share_difference(*_disagreements(first_hits, second_hits), len(first_hits)),
        )


def _metrics(first: Answers, second: Answers) -> Iterator[MetricPair]:
    second_values = metrics.overall(second)
    intervals = bootstrap.difference_intervals(first, second)
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
