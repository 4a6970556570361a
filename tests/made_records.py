"""Records that nodes leave behind, small ones; tests say only what they are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thawline.components.ingestion.quarantine import TRUNCATED, Rejected
from thawline.components.ingestion.summary import IngestionSummary, summarise
from thawline.components.training.record import (
    BaseRecord,
    DecisionRecord,
    EpochRecord,
    FineTuneRecord,
    FoldRecord,
    ProbeRecord,
    Scores,
    TrainingRecord,
    ValidationRecord,
)


def training(probe: float = 0.5, **changes: Any) -> TrainingRecord:
    """A head on the frozen base that is right in so many of val."""
    values: dict[str, Any] = {
        'classes': ('a', 'b'),
        'images': {'train': 10, 'val': 10},
        'probe': ProbeRecord(0.1, Scores(0.9, 0.2, 10), Scores(probe, 0.5, 10)),
        'val': Scores(probe, 0.5, 10),
        'seconds': {'probe': 1.0},
        'decision': DecisionRecord(summary='temperature 1.00'),
        'base': BaseRecord('tiny', 'random', 'abc', 32),
        'environment': {'python': '3.11.7', 'tensorflow': '2.21.0'},
    }
    return TrainingRecord(**{**values, **changes})


def fine_tuned(val: float, best_epoch: int = 1, blocks: tuple[int, ...] = (3,)) -> FineTuneRecord:
    """An epoch for each number of thawed blocks; losses fall and accuracies rise."""
    history = tuple(
        EpochRecord(
            i + 1, 0.9 - 0.1 * i, 0.7 + 0.05 * i, 0.6 - 0.1 * i, 0.8 + 0.04 * i, thawed,
            3e-4 / (i + 1), 2.0, 32,
        )
        for i, thawed in enumerate(blocks)
    )  # fmt: skip
    return FineTuneRecord(best_epoch, blocks[-1], len(blocks), Scores(val, 0.4, 10), history)


def in_folds(
    n: int = 20, folds: int = 5, chosen: float = 0.8, judged: float = 0.7
) -> ValidationRecord:
    """How `n` images were validated in equal folds, all with the same scores."""
    size = n // folds
    counts = {'train': n - 2 * size, 'choose': size, 'judge': size}
    turns = tuple(
        FoldRecord(fold, counts, Scores(chosen, 0.4, size), Scores(judged, 0.5, size), 0.1)
        for fold in range(folds)
    )
    return ValidationRecord('folds', Scores(judged, 0.5, n), turns, refitted=n)


def ingestion(
    splits: Mapping[str, Mapping[str, int]],
    quarantined: int = 0,
    reason: str = TRUNCATED,
    folds: int = 0,
) -> IngestionSummary:
    rejected = [Rejected(f'{i}.png', reason) for i in range(quarantined)]
    written = sum(sum(counts.values()) for counts in splits.values())
    return summarise(written + quarantined, splits, rejected, folds=folds)
