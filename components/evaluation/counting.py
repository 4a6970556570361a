"""Counts what the gate judges, from predictions."""

from __future__ import annotations

import numpy as np

from thawline.components.evaluation import metrics
from thawline.components.evaluation.gate.counts import (
    ClassChange,
    Counts,
    HitCount,
    PairedCount,
    SliceCount,
)
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.metrics import Answers
from thawline.components.evaluation.predictions import Predictions
from thawline.components.shared.splits import TEST, VAL


def count(
    predictions: Predictions,
    gate: Gate,
    class_change: ClassChange | None = None,
    latency_ms: float | None = None,
    size_mb: float | None = None,
) -> Counts:
    """Counts over the labelled images; `class_change` stands for a baseline that is not compared.

    Args:
        predictions: of one candidate.
        gate: whose rules name columns.
        class_change, latency_ms, size_mb: as `Counts` has them.
    """
    rows = np.flatnonzero(predictions.labelled)
    answers = Answers.from_predictions(predictions, rows)
    hits, splits = answers.hits, predictions.splits[rows]
    val = splits == VAL
    baseline: PairedCount | ClassChange | None = class_change
    if predictions.baseline_answers is not None:
        baseline_hits = predictions.baseline_answers[rows] == answers.labels
        won, lost = hits & ~baseline_hits & val, baseline_hits & ~hits & val
        baseline = PairedCount(int(won.sum()), int(lost.sum()), int(val.sum()))
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
