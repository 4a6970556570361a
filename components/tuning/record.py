"""The record of a search, as values, beside KerasTuner's own results; read without KerasTuner."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from thawline.components.shared.records import Record


@dataclasses.dataclass(frozen=True)
class HeadRecord:
    """A head on the cached features; `recall` is the mean over the classes."""

    features: str
    class_weights: str
    accuracy: float
    log_loss: float
    recall: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """A training.

    Attributes:
        values: of the settings that are tuned, by name.
        accuracy, log_loss, kept, seconds: on val, after temperature scaling; None where the
            training diverged.
    """

    values: Mapping[str, Any]
    accuracy: float | None
    log_loss: float | None
    kept: str | None
    seconds: float | None


@dataclasses.dataclass(frozen=True)
class TuningRecord(Record):
    """The trials and the choice.

    Attributes:
        base: what was tuned for; see `tuned_settings.base_name`.
        mode: as configured.
        val_images: how many.
        standard_error: of an accuracy on them.
        heads: the current one first.
        found: conclusions from the heads, for people.
        features: of the best head.
        trials: in the order in which they ran, the first with the current settings.
        left_out: how many did not fit into the budget.
        chosen: position of the chosen trial.
        why: the reason for the choice, for people.
    """

    FILE = 'tuning.json'

    base: str
    mode: str
    val_images: int
    standard_error: float
    heads: tuple[HeadRecord, ...]
    found: tuple[str, ...]
    features: str
    trials: tuple[TrialRecord, ...]
    left_out: int
    chosen: int
    why: str

    @property
    def chosen_name(self) -> str:
        """The choice, for people."""
        return f'trial {self.chosen + 1}' if self.chosen else 'the current settings'
