"""The content of a report as values: built in one place, rendered in others.

It is stored as JSON (`to_json`), which the page, the Markdown form and the comparison of two runs
share. Numbers are not rounded here. Class names and paths are as in the data: what renders them
escapes them.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pydantic

from thawline.components.data_audit.record import AuditRecord as AuditRecord
from thawline.components.evaluation.gate.record import RuleResult as RuleResult
from thawline.components.evaluation.gate.record import Verdict as Verdict
from thawline.components.report.split_results import CalibrationBin as CalibrationBin
from thawline.components.report.split_results import ClassRow as ClassRow
from thawline.components.report.split_results import ConfusionCell as ConfusionCell
from thawline.components.report.split_results import Slice as Slice
from thawline.components.report.split_results import SplitResults as SplitResults
from thawline.components.report.split_results import ThresholdCounts as ThresholdCounts
from thawline.components.report.split_results import TwoClasses as TwoClasses
from thawline.components.report.split_results import UnseenResults as UnseenResults
from thawline.components.statistics.proportions import Interval as Interval
from thawline.components.training.record import BudgetRecord as BudgetRecord
from thawline.components.training.record import FoldRecord as FoldRecord

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
    """The probe on the frozen base, then the thaw.

    Attributes:
        probe_train, probe_val: accuracies of the probe (epoch 0).
        epochs: of the thaw, empty without one.
        best_epoch: None without a thaw.
        kept: 'probe', 'fine_tuned', 'interpolated' or 'averaged'.
        kept_val: val accuracy of the model that was kept.
        budget: of the Trainer; None without one.
        left_out: what was skipped to stay within the budget, in words.
        folds: the turns of cross-validation, over which the other numbers are joined; none with a
            plain split, and in reports of older versions.
        refitted: on how many images what ships was fitted after it was judged; 0: it was not.
    """

    probe_train: float
    probe_val: float
    epochs: tuple[EpochScores, ...]
    best_epoch: int | None
    kept: str
    kept_val: float
    left_out: tuple[str, ...]
    budget: BudgetRecord | None = None
    folds: tuple[FoldRecord, ...] = ()
    refitted: int = 0


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """A similar training image: cosine similarity in [-1, 1]."""

    picture: str
    similarity: float


@dataclasses.dataclass(frozen=True)
class Picture:
    """One image on the page.

    Attributes:
        id: its image_id.
        path: relative to the source.
        split: of the image; 'fold 2' where all images judge, in folds.
        label: class name; empty for an image without one, which then has an answer.
        answer: the model's; None for a training image, and where its probabilities are not finite.
        score: probability of the answer; None without an answer.
        thumbnail: data URI of a small JPEG; empty where the image was deleted.
        overlay: data URI of the Grad-CAM, a PNG with alpha of the thumbnail's size; may be empty.
        neighbours: the most similar training images.
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
    """Pictures under one heading.

    Attributes:
        name: 'mistakes', 'uncertain', 'labels', 'outliers' or 'pairs'.
        title, explanation: in words.
        pictures: their ids.
    """

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
    """Facts under one heading, such as the data card and the model card."""

    name: str
    title: str
    facts: tuple[Fact, ...]


@dataclasses.dataclass(frozen=True)
class RunFacts:
    """What later runs compare themselves with, as JSON values.

    Attributes:
        config: of the project.
        images: split -> class -> count.
        means: split -> fact -> (mean, standard deviation, count).
        base: of the model.
        environment: library -> version.
    """

    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    images: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    means: dict[str, dict[str, tuple[float, float, int]]] = dataclasses.field(default_factory=dict)
    base: dict[str, Any] = dataclasses.field(default_factory=dict)
    environment: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ReportContent:
    """The whole report.

    Attributes:
        project: name of the project.
        run: id of the run.
        created: ISO 8601, UTC.
        classes: names, in the order of the model's outputs.
        verdict: of the gate.
        threshold: of the gate, for val accuracy.
        splits: 'val' and 'test', those that have images.
        training: the learning curves.
        cards: data card, model card, serving, changes since the last run.
        facts: for later runs.
        serving_problems: why the serving check refused a blessed model, in words; else empty.
        two_classes: what other thresholds would answer; None with more than two classes.
        findings: what the first screen says beside the verdict: where the model fails, what
            changed, whether the labels can be trusted. Empty in reports of older versions.
        audit: of the data before training. None in reports of older versions.
        pictures: by id; contains every id that is used. Empty in a summary.
        galleries: most confident mistakes, least certain hits, suspicious labels, outliers and
            pairs across splits. Empty in a summary.
    """

    project: str
    run: str
    created: str
    classes: tuple[str, ...]
    verdict: Verdict
    threshold: float
    splits: dict[str, SplitResults]
    training: LearningCurves
    cards: tuple[FactCard, ...]
    facts: RunFacts = dataclasses.field(default_factory=RunFacts)
    serving_problems: tuple[str, ...] = ()
    two_classes: TwoClasses | None = None
    findings: tuple[FactCard, ...] = ()
    audit: AuditRecord | None = None
    pictures: dict[str, Picture] = dataclasses.field(default_factory=dict)
    galleries: tuple[Gallery, ...] = ()

    @property
    def is_servable(self) -> bool:
        """Whether the gate and the serving check passed the model, so that it was pushed."""
        return self.verdict.blessed and not self.serving_problems


def to_json(content: ReportContent) -> str:
    """The report as JSON; NaN and infinities are refused, as browsers cannot parse them.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(_values(content), ensure_ascii=False, allow_nan=False)


def summary_to_json(content: ReportContent) -> str:
    """The same without the pictures, for later runs."""
    values = _values(content)
    del values['pictures'], values['galleries']
    return json.dumps(values, ensure_ascii=False, allow_nan=False, indent=1)


def _values(content: ReportContent) -> dict[str, Any]:
    values = {'format': FORMAT, **dataclasses.asdict(content)}
    values['parts'] = values.pop('splits')  # the name in format 1
    return values


def from_json(text: str) -> ReportContent:
    """Reads a report or its summary.

    Raises:
        ValueError: it is not JSON, or of another format.
    """
    values = json.loads(text)
    if values.get('format') != FORMAT:
        raise ValueError(f'format {values.get("format")}, expected {FORMAT}')
    values['splits'] = values.pop('parts', None)
    return pydantic.TypeAdapter(ReportContent).validate_python(values)
