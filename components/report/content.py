"""What the report says, as values: gathered in one place, rendered in another.

Everything is JSON when written (`to_json`), so that the page, the Markdown form and the comparison
of two runs share one source. Numbers are not rounded here. Class names and paths are as they are in
the data: whoever renders them escapes them.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from thawline.components.evaluation.gate.rule_result import RuleResult as RuleResult
from thawline.components.evaluation.gate.verdict import Verdict as Verdict
from thawline.components.statistics.proportions import Interval as Interval

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class EpochScores:
    """One epoch of fine-tuning; accuracies in [0, 1]."""

    number: int
    train_accuracy: float
    val_accuracy: float
    val_loss: float
    blocks: int


@dataclasses.dataclass(frozen=True)
class LearningCurves:
    """The learning curves: the frozen base with its head, then the thaw.

    Attributes:
        probe_train, probe_val: accuracies of the head on the frozen base (epoch 0).
        epochs: of the thaw, empty without one.
        best_epoch: None without a thaw.
        kept: 'probe', 'fine_tuned' or 'interpolated'.
        kept_val: val accuracy of what is kept.
        left_out: what a budget left out, in words.
    """

    probe_train: float
    probe_val: float
    epochs: tuple[EpochScores, ...]
    best_epoch: int | None
    kept: str
    kept_val: float
    left_out: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ClassRow:
    """One class on one split; None where it cannot be computed (no image, no answer)."""

    name: str
    images: int
    train_images: int
    precision: float | None
    recall: Interval
    f1: float | None
    auc: float | None


@dataclasses.dataclass(frozen=True)
class Slice:
    """Accuracy of one group of images; `small` where it has fewer than the minimum."""

    column: str
    value: str
    accuracy: Interval
    small: bool


@dataclasses.dataclass(frozen=True)
class CalibrationBin:
    """Images whose score is in [lower, upper): mean score, share answered right, how many."""

    lower: float
    upper: float
    score: float | None
    accuracy: Interval


@dataclasses.dataclass(frozen=True)
class ConfusionCell:
    """Images of class `label` that were answered `answer` (positions in `Content.classes`).

    `pictures` are ids of `Content.pictures`, at most a few of the `count`.
    """

    label: int
    answer: int
    count: int
    pictures: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class SplitResults:
    """Everything that is known of one split ('val' or 'test').

    Attributes:
        accuracy: of the served answers.
        baseline: of the baseline on the same images, None without one.
        metrics: name -> value: 'balanced_accuracy', 'macro_f1', 'log_loss', 'ece', 'auc_ovr',
            'top_3_accuracy' ...; None where it cannot be computed.
        classes: a row a class, in the order of `Content.classes`.
        confusion: cells with at least one image; those without an answer are in none.
        slices: all columns, in the order in which they are to be shown.
        calibration: ten bins of equal width, of the images that have an answer.
    """

    accuracy: Interval
    baseline: Interval | None
    metrics: dict[str, float | None]
    classes: tuple[ClassRow, ...]
    confusion: tuple[ConfusionCell, ...]
    slices: tuple[Slice, ...]
    calibration: tuple[CalibrationBin, ...]


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """A training image that the base finds alike: cosine similarity in [-1, 1]."""

    picture: str
    similarity: float


@dataclasses.dataclass(frozen=True)
class Picture:
    """One image that the page shows.

    Attributes:
        id: its image_id.
        path: relative to the source.
        split: of the image.
        label: class name.
        answer: what the model answered; None for a training image, and where its probabilities are
            no numbers.
        score: probability of the answer; None where there is no answer.
        thumbnail: data URI of a small JPEG; empty where the image is no longer there.
        overlay: data URI of the Grad-CAM, a PNG with alpha of the thumbnail's size; may be empty.
        neighbours: most alike training images.
        note: why it is shown, in words; may be empty.
    """

    id: str
    path: str
    split: str
    label: str
    answer: str | None
    score: float | None
    thumbnail: str
    overlay: str
    neighbours: tuple[Neighbour, ...]
    note: str


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Pictures under one heading: name is 'mistakes', 'uncertain' or 'labels'."""

    name: str
    title: str
    explanation: str
    pictures: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Fact:
    """A line of a card: a term and its value, in words; `detail` is longer text, may be empty."""

    term: str
    value: str
    detail: str = ''


@dataclasses.dataclass(frozen=True)
class FactCard:
    """Lines under one heading: the data card, the model card, what changed."""

    name: str
    title: str
    facts: tuple[Fact, ...]


@dataclasses.dataclass(frozen=True)
class ReportContent:
    """The whole report.

    Attributes:
        project: name of the project.
        run: id of the run.
        created: ISO 8601, UTC.
        classes: names, in the order of the model's outputs.
        verdict: comes first.
        threshold: what val accuracy was asked for.
        parts: 'val' and 'test', those that have images.
        training: the learning curves.
        pictures: by id; every id that is used anywhere is here.
        galleries: most confident mistakes, least certain hits, suspicious labels.
        cards: data card, model card, what changed against the last run.
        facts: JSON values that the cards were made of, for later runs to compare themselves with:
            'config', 'images' (split -> class -> count), 'means' (split -> fact -> mean, standard
            deviation, count), 'base', 'environment'.
    """

    project: str
    run: str
    created: str
    classes: tuple[str, ...]
    verdict: Verdict
    threshold: float
    parts: dict[str, SplitResults]
    training: LearningCurves
    pictures: dict[str, Picture]
    galleries: tuple[Gallery, ...]
    cards: tuple[FactCard, ...]
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    format: int = FORMAT


def to_json(content: ReportContent) -> str:
    """The report as JSON; NaN and infinities are refused, as no browser would parse them.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(dataclasses.asdict(content), ensure_ascii=False, allow_nan=False)


def summary(content: ReportContent) -> dict[str, Any]:
    """The values that a later run compares itself with: everything but the pictures."""
    values = dataclasses.asdict(content)
    del values['pictures'], values['galleries']
    return values
