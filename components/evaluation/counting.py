"""Counts what the gate judges, from predictions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

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

EMPTY = Counts(val=HitCount(0, 0), test=HitCount(0, 0), classes={})


@dataclasses.dataclass(frozen=True)
class Judged:
    """Labelled images of val and test with what the gate needs of each.

    Attributes:
        answers: of the candidate.
        splits: str [N].
        baseline_answers: int64 [N], None without a comparable baseline.
        columns: [N] of str or None, of each column that a rule names.
    """

    answers: Answers
    splits: np.ndarray
    baseline_answers: np.ndarray | None
    columns: Mapping[str, np.ndarray]


def judged(found: Predictions, gate: Gate) -> Judged:
    """The labelled images of a table; of the others there is nothing to say."""
    rows = np.flatnonzero(found.labelled)
    return Judged(
        metrics.of_rows(found, rows),
        found.splits[rows],
        None if found.baseline_answers is None else found.baseline_answers[rows],
        {name: found.columns[name][rows] for name in columns(gate)},
    )


def columns(gate: Gate) -> tuple[str, ...]:
    """The columns that rules name, each once."""
    return tuple(dict.fromkeys(floor.column for floor in gate.slices))


def numbers(
    images: Judged,
    classes: Sequence[str],
    reset: ClassChange | None = None,
    latency_ms: float | None = None,
    size_mb: float | None = None,
) -> Counts:
    """Counts.

    Args:
        images: labelled ones.
        classes: of the candidate.
        reset: the baseline, where it knows other classes and cannot be compared.
        latency_ms, size_mb: as `Counts` says.
    """
    answers, hits = images.answers, images.answers.hits
    val, test = images.splits == VAL, images.splits == TEST
    baseline: PairedCount | ClassChange | None = reset
    if images.baseline_answers is not None:
        theirs = images.baseline_answers == answers.labels
        won, lost = hits & ~theirs & val, theirs & ~hits & val
        baseline = PairedCount(int(won.sum()), int(lost.sum()), int(val.sum()))
    return Counts(
        val=_count(hits, val),
        test=_count(hits, test),
        classes={
            name: _count(hits, val & (answers.labels == place))
            for place, name in enumerate(classes)
        },
        slices=tuple(
            SliceCount(column, str(value), _count(hits, val & (values == value)))
            for column, values in images.columns.items()
            for value in sorted({one for one in values[val] if one is not None})
        ),
        calibration_error=metrics.calibration_error(answers.take(val)),
        baseline=baseline,
        latency_ms=latency_ms,
        size_mb=size_mb,
        not_finite=int((~np.isfinite(answers.probabilities)).any(axis=1).sum()),
    )


def _count(hits: np.ndarray, rows: np.ndarray) -> HitCount:
    return HitCount(int(hits[rows].sum()), int(rows.sum()))
