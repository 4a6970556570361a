"""Counts what the gate judges, from predictions."""

from __future__ import annotations

import numpy as np

from thawline.components.evaluation import metrics
from thawline.components.evaluation.gate.counts import (
    ClassChange,
    Counts,
    HitCount,
    NoRecord,
    PairedCount,
    SliceCount,
)
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.metrics import Answers
from thawline.components.evaluation.predictions import NOT_ASKED, Predictions
from thawline.components.shared.splits import TEST, VAL


def count(
    predictions: Predictions,
    gate: Gate,
    baseline: PairedCount | ClassChange | NoRecord | None = None,
    latency_ms: float | None = None,
    size_mb: float | None = None,
) -> Counts:
    """Counts over the labelled images.

    Args:
        predictions: of one candidate.
        gate: whose rules name columns.
        baseline: stands for a baseline that answered no image.
        latency_ms, size_mb: as `Counts` has them.
    """
    rows = np.flatnonzero(predictions.labelled)
    answers = Answers.from_predictions(predictions, rows)
    hits, splits = answers.hits, predictions.splits[rows]
    val = splits == VAL
    if predictions.baseline_answers is not None:
        baseline_answers = predictions.baseline_answers[rows]
        pairs = baseline_answers != NOT_ASKED
        baseline_hits = baseline_answers == answers.labels
        won, lost = hits & ~baseline_hits & pairs, baseline_hits & ~hits & pairs
        baseline = PairedCount(int(won.sum()), int(lost.sum()), int(pairs.sum()))
    columns = {floor.column: predictions.columns[floor.column][rows] for floor in gate.slices}
    return Counts(
        val=_count(hits, val),
        test=_count(hits, splits == TEST),
        classes={
            name: _count(hits, val & (answers.labels == place))
            for place, name in enumerate(predictions.classes)
        },
        slices=tuple(
            SliceCount(column, str(value), _count(hits, val & (values == value)))
            for column, values in columns.items()
            for value in sorted(set(values[val]) - {None})
        ),
        calibration_error=metrics.calibration_error(answers.take(val)),
        baseline=baseline,
        latency_ms=latency_ms,
        size_mb=size_mb,
        not_finite=int((~np.isfinite(answers.probabilities)).any(axis=1).sum()),
    )


def _count(hits: np.ndarray, rows: np.ndarray) -> HitCount:
    return HitCount(int(hits[rows].sum()), int(rows.sum()))
