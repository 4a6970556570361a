"""Puts the report together: every number, picture and card, from what the nodes left behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thawline.components.data_gate.findings import DataRecord
from thawline.components.evaluation import slices
from thawline.components.evaluation.metrics import Answers
from thawline.components.evaluation.params import Evaluation
from thawline.components.evaluation.predictions import Predictions
from thawline.components.report import (
    changes_card,
    data_card,
    galleries,
    metrics,
    model_card,
    similarity,
)
from thawline.components.report import slices as groups
from thawline.components.report.content import (
    ConfusionCell,
    Fact,
    FactCard,
    ReportContent,
    SplitResults,
    Verdict,
)
from thawline.components.report.data_card import Means
from thawline.components.report.model_card import ModelCardInputs
from thawline.components.report.similarity import ImageEmbeddings
from thawline.components.shared.splits import EVALUATED


@dataclasses.dataclass(frozen=True)
class DataRecords:
    """What the nodes before training found.

    Attributes:
        summary: the ingestion's `summary.json`.
        record: of the data gate.
        means: of the facts of the images of each split.
        files: split -> examples.
    """

    summary: Mapping[str, Any]
    record: DataRecord
    means: Means
    files: Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True)
class ReportInputs:
    """All that a report is made of.

    Attributes:
        run: id of the run.
        created: ISO 8601, UTC.
        verdict: of the gate.
        threshold: what val accuracy was asked for.
        predictions: of val and test.
        embedded: features of the images of all splits.
        data: about the images.
        model: about the model.
        explain: heat of encoded images for a class each; see `saliency.Explainer`.
        groups: which groups of images are told.
        before: summary of the last report; None without one.
        serving: the card of the exported model; None without one.
    """

    run: str
    created: str
    verdict: Verdict
    threshold: float
    predictions: Predictions
    embedded: ImageEmbeddings
    data: DataRecords
    model: ModelCardInputs
    explain: galleries.Explain
    groups: Evaluation
    before: Mapping[str, Any] | None
    serving: FactCard | None = None


def build_content(given: ReportInputs) -> ReportContent:
    """The whole report."""
    predictions = given.predictions
    rows = np.flatnonzero(predictions.labelled)
    answers = Answers.from_predictions(predictions, rows)
    suspects = _suspects(given.embedded, predictions, answers, rows)
    shown = galleries.build_album(
        predictions,
        answers,
        rows,
        given.embedded,
        suspects,
        given.data.files,
        given.explain,
        given.model.served.resize,
    )
    parts: dict[str, SplitResults] = {}
    together, not_sliced = slices.choose_columns(
        predictions.columns, given.groups.crossed, given.groups.most_values
    )
    for split in EVALUATED:
        mine = np.flatnonzero(predictions.labelled & (predictions.splits == split))
        if len(mine):
            images = given.data.summary['splits'].get(data_card.TRAIN, {})
            parts[split] = _split_results(given, mine, images, shown.cells[split], together)
    compared = int((given.embedded.labels >= 0).sum())
    about = data_card.DataCardInputs(
        given.data.summary,
        [finding.message for finding in given.data.record.findings],
        given.data.record.facts.anomalies,
        given.data.means,
        shown.scan.groups,
        len(suspects),
        compared,
        [groups.CROSS.join(names) for names in not_sliced],
        shown.missing,
        groups.bucket_fact(predictions.edges),
    )
    record = given.model.record
    facts = {
        'config': given.model.config,
        'images': given.data.summary['splits'],
        'means': given.data.means,
        'base': record['base'],
        'environment': record['environment'],
    }
    return ReportContent(
        project=str(given.model.config['name']),
        run=given.run,
        created=given.created,
        classes=predictions.classes,
        verdict=given.verdict,
        threshold=given.threshold,
        parts=parts,
        training=model_card.learning_curves(record),
        pictures=shown.pictures,
        galleries=shown.galleries,
        cards=(
            data_card.card(about),
            _with_unanswered(model_card.card(given.model), answers),
            *([given.serving] if given.serving else []),
            changes_card.card(given.verdict, parts, predictions.classes, facts, given.before),
        ),
        facts=facts,
    )


def _with_unanswered(card: FactCard, answers: Answers) -> FactCard:
    """The model card; where the model has no answer to some images, it says what that means."""
    missing = int((~answers.has_answer).sum())
    if not missing:
        return card
    fact = Fact(
        'No answer',
        f'{missing:,} of {len(answers):,} images',
        'The model returns probabilities that are NaN or infinite. These images count as wrong; '
        'they are in no confusion matrix and no calibration, and their pictures are not among the '
        'mistakes. Measures that need the probabilities of all images are not known.',
    )
    return dataclasses.replace(card, facts=(*card.facts, fact))


def _suspects(
    embedded: ImageEmbeddings, predictions: Predictions, answers: Answers, rows: np.ndarray
) -> tuple[similarity.Suspect, ...]:
    """The model votes on what it has answered, the neighbours on all."""
    place = {str(name): row for row, name in enumerate(embedded.ids)}
    ids = [str(name) for name in predictions.ids[rows]]
    there = [i for i in np.flatnonzero(answers.has_answer) if ids[i] in place]
    of_embedded = np.array([place[ids[i]] for i in there], np.int64)
    classes = len(predictions.classes)
    return similarity.suspects(embedded, classes, answers.probabilities[there], of_embedded)


def _split_results(
    given: ReportInputs,
    rows: np.ndarray,
    train_images: Mapping[str, int],
    cells: tuple[ConfusionCell, ...],
    together: Sequence[Sequence[str]],
) -> SplitResults:
    """One split: the labelled images in `rows`."""
    predictions = given.predictions
    answers = Answers.from_predictions(predictions, rows)
    columns = {name: values[rows] for name, values in predictions.columns.items()}
    baseline = None
    if predictions.baseline_answers is not None:
        of_baseline = predictions.baseline_answers[rows]
        baseline = metrics.hit_rate((of_baseline == answers.labels) & (answers.labels >= 0))
    return SplitResults(
        accuracy=metrics.hit_rate(answers.hits),
        baseline=baseline,
        metrics=metrics.overall(answers),
        classes=metrics.class_rows(answers, predictions.classes, train_images),
        confusion=cells,
        slices=groups.slice_accuracies(
            columns, together, answers.hits, given.groups.smallest_slice
        ),
        calibration=metrics.calibration_bins(answers),
    )
