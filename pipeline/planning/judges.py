"""Who judges a model, before there is one: how many of the images, by folds or by one split."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.repeated_looks import alpha
from thawline.components.ingestion import fold_choice
from thawline.components.ingestion.params import Split
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.splits import TEST


@dataclasses.dataclass(frozen=True)
class Judges:
    """What judges a model.

    Attributes:
        labelled: images, or groups of them, with a label.
        folds: over which they are shared out; 0: one split.
        judging: how many of them judge.
        by_split: how many would with one split.
        unit: 'image' or 'group'.
    """

    labelled: int
    folds: int
    judging: int
    by_split: int
    unit: str = 'image'


def confidence_of(gate: Gate) -> float:
    """Of the bound at the first look."""
    return 1 - 2 * alpha(gate, 1)


def judges_of(split: Split, classes: Sequence[int], groups: int | None = None) -> Judges:
    """What judges of so many images a class, or of the groups that they are in.

    Raises:
        ConfigError: there are more groups than images.
        DataError: there are too few images or groups for folds.
    """
    labelled = sum(classes)
    if groups is not None and groups > labelled:
        raise ConfigError(f'--groups {groups:,} is more than the {labelled:,} images')
    units = groups or labelled
    partition, _ = fold_choice.choose(split, classes, units, ())
    judging = units * split.val
    if partition.folds:
        judging = units * (1 - partition.shares.get(TEST, 0.0))
    unit = 'image' if groups is None else 'group'
    return Judges(units, partition.folds, round(judging), round(units * split.val), unit)
