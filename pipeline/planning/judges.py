"""Who judges a model, before there is one: how many of the images, by folds or by one split."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Iterable, Sequence

from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.repeated_looks import alpha
from thawline.components.ingestion import fold_choice
from thawline.components.ingestion.params import Split
from thawline.components.ingestion.source_types import SourceItem
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.splits import TEST, TRAIN, VAL


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


def labelled_for(judging: int | None, share: float) -> int | None:
    """How many labelled images it takes for so many to judge, where this share of them does."""
    return None if judging is None else math.ceil(round(judging / share, 6))


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


def judges_of_items(split: Split, items: Iterable[SourceItem], groups: int | None = None) -> Judges:
    """What judges of the images that a source lists, by the splits, folds and groups that it gives.

    Args:
        split: as configured.
        items: those without a label do not judge.
        groups: in place of those that the source gives.

    Raises:
        ConfigError: there are more groups than images.
        DataError: as the run would: too few groups for folds, folds where splits are given.
    """
    labelled = [item for item in items if item.label is not None]
    units = {item.group or item.relative_path for item in labelled}
    if groups is None and len(units) < len(labelled):
        groups = len(units)
    classes = list(collections.Counter(item.label for item in labelled).values())
    splits = collections.Counter(item.split for item in labelled)
    folds = {item.fold for item in labelled} - {None}
    if folds:
        test = splits[TEST] / len(labelled)
        given = split.model_copy(update={'folds': len(folds), 'test': test})
        return judges_of(given, classes, groups)
    given_splits = {name for name in splits if name is not None}
    if not given_splits:
        return judges_of(split, classes, groups)
    fold_choice.choose(split, classes, len(units), given_splits)  # may refuse
    judging = splits[VAL]
    if not judging:  # it is taken out of train
        parts = [name for name in split.fractions if name == TRAIN or not splits[name]]
        share = split.val / sum(split.fractions[name] for name in parts)
        judging = round(share * (splits[TRAIN] + splits[None]))
    plain = judges_of(split.model_copy(update={'folds': 0}), classes, groups)
    judging = round(judging * plain.labelled / len(labelled))
    return dataclasses.replace(plain, judging=judging, by_split=judging)
