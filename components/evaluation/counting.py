"""Counts what the gate judges, from predictions."""

from __future__ import annotations

import dataclasses

import numpy as np

from thawline.components.evaluation import metrics, units
from thawline.components.evaluation.gate.counts import (
    ChangedFiles,
    Counts,
    HitCount,
    NoRecord,
    PairedCount,
    SliceCount,
)
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.metrics import Answers
from thawline.components.evaluation.predictions import NOT_ASKED, Predictions
from thawline.components.evaluation.units import Joining
from thawline.components.shared.splits import TEST, VAL
from thawline.components.statistics import clustered_bound
from thawline.components.statistics.paired import pair_tally


@dataclasses.dataclass(frozen=True)
class Pairs:
    """The labelled images that the baseline answered too.

    Attributes:
        rows: int64 [P], in the predictions.
        hits, baseline_hits: which of them each model classifies correctly: bool [P].
        clusters: of each: str [P].
    """

    rows: np.ndarray
    hits: np.ndarray
    baseline_hits: np.ndarray
    clusters: np.ndarray


def paired(predictions: Predictions) -> Pairs:
    """The one set of pairs on which a candidate and its baseline are compared."""
    rows = np.flatnonzero([])
    if predictions.baseline_answers is not None:
        asked = predictions.baseline_answers != NOT_ASKED
        # A class that the candidate does not know is -1, as are the baseline's answers of such.
        rows = np.flatnonzero(asked & (predictions.labels >= 0))
    answers = Answers.from_predictions(predictions, rows)
    served = predictions.baseline_answers
    others = np.zeros(0, bool) if served is None else served[rows] == answers.labels
    return Pairs(rows, answers.hits, others, predictions.clusters[rows])


def count(
    predictions: Predictions,
    gate: Gate,
    baseline: PairedCount | NoRecord | ChangedFiles | None = None,
    latency_ms: float | None = None,
    size_mb: float | None = None,
    joining: Joining | None = None,
    in_folds: bool = False,
) -> Counts:
    """Counts over the labelled images, or over units, see `units`.

    Slices, calibration and the comparison with a baseline are of images always.

    Args:
        predictions: of one candidate.
        gate: whose rules name columns.
        baseline: what is known of one before its answers; None without a baseline.
        latency_ms, size_mb: as `Counts` has them.
        joining: how images become units; None where each is judged.
        in_folds: whether val is every image but those of test, judged in folds.

    Raises:
        DataError: the images of a unit have different labels.
    """
    rows = np.flatnonzero(predictions.labelled)
    answers = Answers.from_predictions(predictions, rows)
    hits, splits = answers.hits, predictions.splits[rows]
    val = splits == VAL
    if isinstance(baseline, PairedCount):
        pairs = paired(predictions)
        won, lost = pairs.hits & ~pairs.baseline_hits, pairs.baseline_hits & ~pairs.hits
        baseline = dataclasses.replace(
            baseline,
            won=int(won.sum()),
            lost=int(lost.sum()),
            n=len(pairs.rows),
            clusters=pair_tally(pairs.hits, pairs.baseline_hits, pairs.clusters),
        )
    clusters = predictions.clusters[rows]
    kind = '' if in_folds else VAL

    def count_hits(chosen: np.ndarray) -> HitCount:
        of_chosen = hits[chosen]
        groups = clustered_bound.tally(of_chosen, clusters[chosen])
        return HitCount(int(of_chosen.sum()), len(of_chosen), groups, kind=kind)

    def count_units(chosen: np.ndarray) -> HitCount:
        if joining is None:
            return count_hits(chosen)
        joined = units.join(answers.take(chosen), clusters[chosen], joining)
        return HitCount(int(joined.hits.sum()), len(joined), unit='group', kind=kind)

    columns = {floor.column: predictions.columns[floor.column][rows] for floor in gate.slices}
    return Counts(
        val=count_units(val),
        test=count_units(splits == TEST),
        classes={
            name: count_units(val & (answers.labels == place))
            for place, name in enumerate(predictions.classes)
        },
        slices=tuple(
            SliceCount(column, str(value), count_hits(val & (values == value)))
            for column, values in columns.items()
            for value in sorted(set(values[val]) - {None})
        ),
        calibration_error=metrics.calibration_error(answers.take(val)),
        baseline=baseline,
        latency_ms=latency_ms,
        size_mb=size_mb,
        not_finite=int((~np.isfinite(answers.probabilities)).any(axis=1).sum()),
    )
