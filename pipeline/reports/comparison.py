"""Two runs on the images that both evaluated: who is right where, and whether that is chance.

Pure: from the predictions and the report of each run. The first run is called A, the second B;
every difference is B less A.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from thawline.components.evaluation.metrics import Answers
from thawline.components.evaluation.predictions import Predictions
from thawline.components.report import formatting, metrics
from thawline.components.report.content import Fact, FactCard
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.splits import EVALUATED
from thawline.components.statistics.paired import Difference, share_difference
from thawline.components.statistics.proportions import Interval, McNemar, mcnemar
from thawline.pipeline.reports import bootstrap, comparison_cards
from thawline.pipeline.reports.comparison_cards import ComparedRun as ComparedRun


@dataclasses.dataclass(frozen=True)
class MetricPair:
    """A measure of both runs; None where it cannot be computed."""

    name: str
    first: float | None
    second: float | None
    difference: Difference | None


@dataclasses.dataclass(frozen=True)
class ClassPair:
    """Recall of a class that has an image, of both runs."""

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
        only_first, only_second: images that one alone answers right.
        test: McNemar's, `worse` and `better` of A.
        metrics: named as in `content.Part`; of one split only.
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
    """An image that one of the two runs alone answers right; scores are of their answers.

    Where the other run has no answer, a dash stands for it and its score is None.
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
        """Whether it is B that is right."""
        return self.second_score is not None and self.second_answer == self.label


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The whole comparison.

    Attributes:
        project: name of the project of B.
        first, second: ids of the runs, A and B.
        together: all images that both evaluated.
        parts: the same by their split in B, those that have images.
        flips: the surest wrong answers first.
        cards: what was compared, and what differs between the runs.
    """

    project: str
    first: str
    second: str
    together: PairedResults
    parts: dict[str, PairedResults]
    flips: tuple[Flip, ...]
    cards: tuple[FactCard, ...]


def compare(first: ComparedRun, second: ComparedRun) -> Comparison:
    """Compares two runs on the labelled images that both evaluated.

    Labels are those of the second run. Images of a class that only one of the two models knows are
    left out: the other could not have answered them right. Where the probabilities of a run are no
    numbers, it has no answer and is wrong.

    Raises:
        ConfigError: there is no such image.
    """
    a, b = first.predictions, second.predictions
    place = {str(name): row for row, name in enumerate(a.ids)}
    shared = np.array([row for row, name in enumerate(b.ids) if str(name) in place], np.int64)
    known = np.isin(np.array(b.classes), np.array(a.classes))
    judged = shared[b.labels[shared] >= 0]
    judged = judged[known[b.labels[judged]]]
    if not len(judged):
        raise ConfigError(_nothing(first, second, len(shared)))
    of_a = np.array([place[str(name)] for name in b.ids[judged]], np.int64)
    classes = tuple(dict.fromkeys((*b.classes, *a.classes)))
    labels = b.labels[judged]
    answers_a = _answers(a, of_a, classes, labels)
    answers_b = _answers(b, judged, classes, labels)
    splits = b.splits[judged]
    parts = {
        split: _split(answers_a, answers_b, splits == split, classes)
        for split in EVALUATED
        if (splits == split).any()
    }
    return Comparison(
        project=str(second.summary['project']),
        first=first.run,
        second=second.run,
        together=_paired(answers_a, answers_b),
        parts=parts,
        flips=_flips(b, judged, answers_a, answers_b, classes),
        cards=(
            _with_unanswered(
                comparison_cards.images(first, second, shared, judged, of_a), answers_a, answers_b
            ),
            comparison_cards.changes(first, second),
        ),
    )


def _with_unanswered(card: FactCard, first: Answers, second: Answers) -> FactCard:
    """The card of what is compared, and how many images a run has no answer to."""
    facts = []
    for name, answers in (('A', first), ('B', second)):
        if missing := int((~answers.has_answer).sum()):
            why = 'probabilities that are NaN or infinite; counted as wrong'
            facts.append(Fact(f'No answer in {name}', f'{missing:,}', why))
    return dataclasses.replace(card, facts=(*card.facts, *facts))


def _nothing(first: ComparedRun, second: ComparedRun, shared: int) -> str:
    a, b = first.predictions, second.predictions
    if shared and not set(a.classes) & set(b.classes):
        reason = (
            f'they have no class in common: {_some(a.classes)} against {_some(b.classes)}; compare '
            'runs of the same classes'
        )
    elif shared:
        reason = f'none of the {shared:,} images that both evaluated has a label that both know'
    else:
        reason = (
            f'no image was evaluated in both ({len(a):,} and {len(b):,} images); compare runs on '
            'the same data'
        )
    return f'runs {first.run} and {second.run} cannot be compared: {reason}'


def _some(classes: tuple[str, ...]) -> str:
    more = f' and {len(classes) - 5:,} more' if len(classes) > 5 else ''
    return ', '.join(classes[:5]) + more


def _answers(
    found: Predictions, rows: np.ndarray, classes: tuple[str, ...], labels: np.ndarray
) -> Answers:
    """Answers in the class list of both; a class that a model lacks has probability 0."""
    own = Answers.from_predictions(found, rows)
    places = np.array([classes.index(name) for name in found.classes], np.int64)
    answers = np.where(own.has_answer, places[np.maximum(own.answers, 0)], metrics.NO_ANSWER)
    probabilities = np.zeros((len(rows), len(classes)), np.float32)
    probabilities[:, places] = own.probabilities
    return Answers(labels, answers, own.scores, probabilities)


def _paired(first: Answers, second: Answers) -> PairedResults:
    hits, others = first.hits, second.hits
    only_first, only_second = int((hits & ~others).sum()), int((others & ~hits).sum())
    return PairedResults(
        first=metrics.hit_rate(hits),
        second=metrics.hit_rate(others),
        difference=_difference(hits, others),
        only_first=only_first,
        only_second=only_second,
        test=mcnemar(only_first, only_second),
    )


def _split(
    first: Answers, second: Answers, mine: np.ndarray, classes: tuple[str, ...]
) -> PairedResults:
    first, second = first.take(mine), second.take(mine)
    return dataclasses.replace(
        _paired(first, second),
        metrics=_metrics(first, second),
        classes=tuple(_classes(first, second, classes)),
    )


def _classes(first: Answers, second: Answers, classes: tuple[str, ...]) -> Iterator[ClassPair]:
    for position in np.unique(first.labels).tolist():
        mine = first.labels == position
        hits, others = first.hits[mine], second.hits[mine]
        yield ClassPair(
            classes[position],
            metrics.hit_rate(hits),
            metrics.hit_rate(others),
            _difference(hits, others),
        )


def _difference(hits: np.ndarray, others: np.ndarray) -> Difference:
    return share_difference(int((hits & ~others).sum()), int((others & ~hits).sum()), len(hits))


def _metrics(first: Answers, second: Answers) -> tuple[MetricPair, ...]:
    of_first, of_second = metrics.overall(first), metrics.overall(second)
    intervals = bootstrap.difference_intervals(first, second)
    found = []
    for name, value in of_first.items():
        other, difference = of_second[name], None
        if value is not None and other is not None:
            ends = intervals.get(name)
            difference = Difference(other - value, *(ends or (None, None)))
        found.append(MetricPair(name, value, other, difference))
    return tuple(found)


def _flips(
    predictions: Predictions,
    rows: np.ndarray,
    first: Answers,
    second: Answers,
    classes: tuple[str, ...],
) -> tuple[Flip, ...]:
    found = []
    for i in np.flatnonzero(first.hits != second.hits).tolist():
        row = rows[i]
        found.append(
            Flip(
                str(predictions.ids[row]),
                str(predictions.paths[row]),
                str(predictions.splits[row]),
                classes[first.labels[i]],
                *_told(first, i, classes),
                *_told(second, i, classes),
            )
        )
    return tuple(sorted(found, key=lambda one: (-_wrong_score(one), one.path)))


def _told(answers: Answers, i: int, classes: tuple[str, ...]) -> tuple[str, float | None]:
    if answers.answers[i] == metrics.NO_ANSWER:
        return formatting.ABSENT, None
    return classes[answers.answers[i]], float(answers.scores[i])


def _wrong_score(flip: Flip) -> float:
    return (flip.first_score if flip.gained else flip.second_score) or 0.0
