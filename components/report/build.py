"""Builds the content of a report from the outputs of the other nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from thawline.components.data_gate.findings import DataRecord
from thawline.components.data_gate.schema_change import KINDS
from thawline.components.embedding.image_embeddings import ImageEmbeddings
from thawline.components.evaluation import counting
from thawline.components.evaluation.metrics import Answers
from thawline.components.evaluation.params import Evaluation
from thawline.components.evaluation.predictions import Predictions
from thawline.components.evaluation.slices import choose_columns
from thawline.components.ingestion.summary import IngestionSummary
from thawline.components.report import (
    changes_card,
    data_card,
    first_screen,
    formatting,
    galleries,
    metrics,
    model_card,
    slices,
    thresholds,
)
from thawline.components.report.audited_data import AuditedData
from thawline.components.report.content import (
    ConfusionCell,
    Fact,
    FactCard,
    ReportContent,
    RunFacts,
    SplitResults,
    TwoClasses,
    UnseenResults,
    Verdict,
)
from thawline.components.report.data_card import Means
from thawline.components.report.model_card import ModelCardInputs
from thawline.components.shared.splits import EVALUATED, TRAIN, VAL


@dataclasses.dataclass(frozen=True)
class DataRecords:
    """The outputs of the nodes before training.

    Attributes:
        summary: of the ingestion.
        record: of the data gate.
        means: of the facts of the images of each split.
        files: split -> examples.
    """

    summary: IngestionSummary
    record: DataRecord
    means: Means
    files: Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True)
class ReportInputs:
    """Everything a report is built from.

    Attributes:
        run: id of the run.
        created: ISO 8601, UTC.
        verdict: of the gate.
        threshold: of the gate, for val accuracy.
        predictions: of val and test.
        embeddings: of the images of all splits.
        audit: of the same images.
        data: about the images.
        model: about the model.
        explain: heat maps of encoded images for a class each; see `saliency.Explainer`.
        evaluation: settings of the slices.
        previous: summary of the last report; None without one.
        serving: the card of the exported model; None without one.
        serving_problems: why the serving check refused the model; else empty.
    """

    run: str
    created: str
    verdict: Verdict
    threshold: float
    predictions: Predictions
    embeddings: ImageEmbeddings
    audit: AuditedData
    data: DataRecords
    model: ModelCardInputs
    explain: galleries.Explain
    evaluation: Evaluation
    previous: ReportContent | None
    serving: FactCard | None = None
    serving_problems: tuple[str, ...] = ()


def build_content(inputs: ReportInputs) -> ReportContent:
    """The whole report."""
    predictions, data = inputs.predictions, inputs.data
    rows = np.flatnonzero(predictions.labelled)
    answers = Answers.from_predictions(predictions, rows)
    album = galleries.build_album(
        predictions,
        answers,
        rows,
        inputs.embeddings,
        inputs.audit,
        data.files,
        inputs.explain,
        inputs.model.served.resize,
        has_folds=bool(inputs.model.record.validation.folds),
    )
    sliced, not_sliced = choose_columns(
        predictions.columns, inputs.evaluation.crossed, inputs.evaluation.most_values
    )
    folds = len(inputs.model.record.validation.folds)
    train_images = None if folds else data.summary.splits.get(TRAIN, {})
    splits = {}
    for split in EVALUATED:
        of_split = np.flatnonzero(predictions.labelled & (predictions.splits == split))
        if len(of_split):
            results = _split_results(inputs, of_split, train_images, album.cells[split], sliced)
            if split == VAL:
                results = dataclasses.replace(results, folds=folds)
            splits[split] = results
    record = inputs.model.record
    facts = RunFacts(
        config=dict(inputs.model.config),
        images={split: dict(counts) for split, counts in data.summary.splits.items()},
        means=data.means,
        base=dataclasses.asdict(record.base),
        environment=dict(record.environment),
    )
    data_inputs = data_card.DataCardInputs(
        summary=data.summary,
        findings=[of.message for of in data.record.findings if of.kind not in KINDS],
        differences=[of.message for of in data.record.findings if of.kind in KINDS],
        means=data.means,
        groups=album.scan.groups,
        suspects=sum(inputs.audit.record.suspects.values()),
        compared=inputs.audit.compared,
        not_sliced=[slices.CROSS.join(names) for names in not_sliced],
        deleted=album.deleted,
        buckets=slices.bucket_fact(predictions.edges),
    )
    decision = formatting.decision(inputs.verdict, inputs.serving_problems)
    reported = changes_card.ReportedRun(
        inputs.run, inputs.verdict, decision, splits, predictions.classes, facts
    )
    return ReportContent(
        project=str(inputs.model.config['name']),
        run=inputs.run,
        created=inputs.created,
        classes=predictions.classes,
        verdict=inputs.verdict,
        threshold=inputs.threshold,
        splits=splits,
        training=model_card.learning_curves(record),
        cards=(
            data_card.card(data_inputs),
            _with_unanswered(model_card.card(inputs.model), answers),
            *([inputs.serving] if inputs.serving else []),
            changes_card.card(reported, inputs.previous),
        ),
        facts=facts,
        serving_problems=inputs.serving_problems,
        two_classes=_two_classes(inputs, tuple(splits)),
        findings=tuple(_findings(inputs, splits, changes_card.brief(reported, inputs.previous))),
        audit=inputs.audit.record,
        pictures=album.pictures,
        galleries=album.galleries,
    )


def _findings(
    inputs: ReportInputs,
    splits: Mapping[str, SplitResults],
    changes: Sequence[Fact],
) -> Iterator[FactCard]:
    """The cards of the first screen."""
    if splits:
        opening = first_screen.opening_split(inputs.verdict, tuple(splits))
        least = inputs.evaluation.smallest_slice
        yield first_screen.weaknesses(opening, splits[opening], least)
    yield first_screen.changes(inputs.verdict, changes)
    yield first_screen.labels(
        first_screen.LabelEvidence(
            inputs.audit.record.suspects, inputs.audit.compared, inputs.data.summary
        )
    )


def _two_classes(inputs: ReportInputs, splits: Sequence[str]) -> TwoClasses | None:
    predictions, decision = inputs.predictions, inputs.model.record.decision
    rows = {
        split: np.flatnonzero(predictions.labelled & (predictions.splits == split))
        for split in splits
    }
    return thresholds.two_classes(
        {split: Answers.from_predictions(predictions, of) for split, of in rows.items()},
        predictions.classes,
        inputs.model.served.rule,
        decision.positive is not None,
        decision.aim != 'argmax',
    )


def _with_unanswered(card: FactCard, answers: Answers) -> FactCard:
    """The model card, with a fact on images that the model has no answer to."""
    unanswered = int((~answers.has_answer).sum())
    if not unanswered:
        return card
    fact = Fact(
        'No answer',
        f'{unanswered:,} of {len(answers):,} images',
        'The model returns NaN or infinite probabilities. These images count as wrong; they are '
        'not in the confusion matrix, the calibration and the pictures of mistakes. Metrics that '
        'need the probabilities of all images are undefined.',
    )
    return dataclasses.replace(card, facts=(*card.facts, fact))


def _split_results(
    inputs: ReportInputs,
    rows: np.ndarray,
    train_images: Mapping[str, int] | None,
    cells: tuple[ConfusionCell, ...],
    sliced: Sequence[Sequence[str]],
) -> SplitResults:
    """The results on the labelled images in `rows`."""
    predictions = inputs.predictions
    answers = Answers.from_predictions(predictions, rows)
    clusters = predictions.clusters[rows]
    columns = {name: values[rows] for name, values in predictions.columns.items()}
    pairs = counting.paired(predictions)
    of_split = np.isin(pairs.rows, rows)
    unseen = None
    if of_split.any():
        unseen = UnseenResults(
            metrics.accuracy(pairs.hits[of_split], pairs.clusters[of_split]),
            metrics.accuracy(pairs.baseline_hits[of_split], pairs.clusters[of_split]),
        )
    return SplitResults(
        accuracy=metrics.accuracy(answers.hits, clusters),
        metrics=metrics.overall(answers),
        classes=metrics.class_rows(answers, predictions.classes, train_images, clusters),
        confusion=cells,
        slices=slices.slice_accuracies(
            columns, sliced, answers.hits, inputs.evaluation.smallest_slice, clusters
        ),
        calibration=metrics.calibration_bins(answers),
        unseen=unseen,
    )
