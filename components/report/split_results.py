"""The results on one split, as values of a report's content."""

from __future__ import annotations

import dataclasses

from thawline.components.statistics.paired_outcome import Difference
from thawline.components.statistics.proportions import Interval


@dataclasses.dataclass(frozen=True)
class ClassRow:
    """One class on one split; None where a metric is undefined (no image, no answer).

    `train_images` are those of the class in train; None where all images judge, in folds.
    """

    name: str
    images: int
    train_images: int | None
    precision: float | None
    recall: Interval
    f1: float | None
    auc: float | None


@dataclasses.dataclass(frozen=True)
class Slice:
    """Accuracy on one slice.

    Attributes:
        column, value: what its images have in common.
        accuracy: of its images.
        small: whether it has fewer images than the minimum.
        gap: the accuracy less that of all images; None where all are in the slice, and in reports
            of older versions.
    """

    column: str
    value: str
    accuracy: Interval
    small: bool
    gap: Difference | None = None


@dataclasses.dataclass(frozen=True)
class CalibrationBin:
    """Images with a score in [lower, upper): their mean score and accuracy."""

    lower: float
    upper: float
    score: float | None
    accuracy: Interval


@dataclasses.dataclass(frozen=True)
class ConfusionCell:
    """Images of class `label` that were answered `answer` (positions in `ReportContent.classes`).

    `pictures` are ids of `ReportContent.pictures`, at most a few of the `count`.
    """

    label: int
    answer: int
    count: int
    pictures: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class UnseenResults:
    """Accuracies of the model and the blessed baseline on the images that neither has seen."""

    model: Interval
    baseline: Interval


@dataclasses.dataclass(frozen=True)
class SplitResults:
    """The results on one split ('val' or 'test').

    Attributes:
        accuracy: of the served answers.
        metrics: name -> value: 'balanced_accuracy', 'macro_f1', 'log_loss', 'ece', 'auc_ovr',
            'top_3_accuracy' ...; None where one is undefined.
        classes: one row a class, in the order of `ReportContent.classes`.
        confusion: cells with at least one image; images without an answer are in none.
        slices: of all columns, in the order of display.
        calibration: ten bins of equal width, of the images that have an answer.
        unseen: beside the baseline; None where each image was seen by one of the models, as in val,
            and in reports of older versions, which compared on all images.
        folds: how many these images were judged in, so that none was seen by what answered it; 0
            with a plain split, and in reports of older versions.
    """

    accuracy: Interval
    metrics: dict[str, float | None]
    classes: tuple[ClassRow, ...]
    confusion: tuple[ConfusionCell, ...]
    slices: tuple[Slice, ...]
    calibration: tuple[CalibrationBin, ...]
    unseen: UnseenResults | None = None
    folds: int = 0


@dataclasses.dataclass(frozen=True)
class ThresholdCounts:
    """What each of the thresholds of `TwoClasses` would answer on one split.

    Attributes:
        positives, negatives: images by label, of those that have an answer.
        true_positives, false_positives: at each threshold.
        roc: points of the curve: false-positive rate and recall; empty where one class has no
            image, as is the next.
        precision_recall: points of the curve: recall and precision.
        auc, average_precision: of the two curves; None without them.
    """

    positives: int
    negatives: int
    true_positives: tuple[int, ...]
    false_positives: tuple[int, ...]
    roc: tuple[tuple[float, float], ...]
    precision_recall: tuple[tuple[float, float], ...]
    auc: float | None
    average_precision: float | None


@dataclasses.dataclass(frozen=True)
class TwoClasses:
    """The threshold of a model of two classes.

    Attributes:
        positive, negative: the classes; the positive one is answered where its probability is at
            least the threshold.
        thresholds: in ascending order.
        served: position of the threshold that the model is served with.
        chosen_on_val: whether it was chosen on the val images.
        splits: counts by split.
    """

    positive: str
    negative: str
    thresholds: tuple[float, ...]
    served: int
    chosen_on_val: bool
    splits: dict[str, ThresholdCounts]
