"""Whether images get folds, and how many."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Mapping

from thawline.components.ingestion import partition
from thawline.components.ingestion.params import FOLDS, Split
from thawline.components.ingestion.partition import Partition
from thawline.components.shared.errors import DataError
from thawline.components.shared.splits import TEST, TRAIN

# Of 5 folds, three train a model that is judged; of 10, eight: with few images that matters, and
# with more of them judges need not be so near to what ships (`benchmarks/validation.md`).
AUTO_FOLDS, AUTO_FOLDS_OF_FEW, FEW_IMAGES = 5, 10, 300
VAL_IMAGES = 300  # a val split of fewer judges by too few: folds judge by all images


def auto_folds(classes: Collection[int]) -> int:
    """How many folds images get, by the number that each class has."""
    # Where a class has fewer images than folds, it is absent from some of them.
    are_few = sum(classes) < FEW_IMAGES and min(classes, default=0) >= AUTO_FOLDS_OF_FEW
    return AUTO_FOLDS_OF_FEW if are_few else AUTO_FOLDS


def choose(
    split: Split, classes: Collection[int], units: int, given: Collection[str]
) -> tuple[Partition, list[str]]:
    """The parts that images are shared out over, and notes on them.

    Args:
        split: as configured.
        classes: the number of images of each.
        units: groups, and clusters of near-duplicates, that have a labelled image.
        given: splits that the source gives.

    Raises:
        DataError: the source gives splits where folds or no test are asked for, or there are too
            few groups for folds.
    """
    if given:
        _check_given(split, given)
        return Partition.plain(split), []
    wanted = auto_folds(classes) if split.folds == 'auto' else split.folds
    is_large = sum(classes) * split.val >= VAL_IMAGES
    if not wanted or (split.folds == 'auto' and is_large and split.can_be_plain):
        return Partition.plain(split), []
    usable = units - bool(split.test_with_folds)  # test needs one, too
    if usable < FOLDS[0]:
        raise DataError(
            f'Folds (data.split.folds: {split.folds}) need {FOLDS[0]} groups or more, none of '
            f'which is split'
            f'{" and one more for test" if split.test_with_folds else ""}; the images are of '
            f'{units}. Add images of other groups, or set data.split.folds: 0 for one split.'
        )
    folds = min(wanted, usable)
    notes = []
    if folds < wanted:
        notes.append(
            f'{folds} folds instead of {wanted}: the images are of {units} groups (or clusters of '
            'near-duplicates), none of which is split'
        )
    return Partition.folded(split, folds), notes


def _check_given(split: Split, given: Collection[str]) -> None:
    listed = ', '.join(sorted(given))
    if split.folds not in (0, 'auto'):
        raise DataError(
            f'data.split.folds is {split.folds}, but the source gives splits: {listed}. Set '
            'data.split.folds: 0 to use these, or leave them out of the source.'
        )
    if split.test == 0.0 and TEST not in given:
        raise DataError(
            f'data.split.test is 0, which needs folds, but the source gives splits: {listed}. Give '
            'data.split.test a share, or leave the splits out of the source.'
        )


def fill_empty(
    place: Mapping[str, str], images: Iterable[tuple[str, str]], shares: Collection[str]
) -> dict[str, str]:
    """The parts of groups, with a group for each fold that none of them is in, where one can go.

    The quotas of several small classes may leave out the same fold. The smallest group of the
    largest fold goes there; to fold 0 only one whose classes are in train without it.

    Args:
        place: the part of each group.
        images: (group, label) of each labelled image.
        shares: all parts.
    """
    result = dict(place)
    labels: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for group, label in images:
        labels[group][label] += 1
    for fold in filter(partition.is_fold, shares):
        by_part = collections.defaultdict(list)
        for group in sorted(labels):
            by_part[result[group]].append(group)
        if fold in by_part:
            continue
        trained = collections.Counter(
            label
            for part in partition.trained_parts(by_part)
            for group in by_part[part]
            for label in labels[group]
        )
        able = [
            (-sum(labels[other].total() for other in groups), labels[group].total(), group)
            for part, groups in by_part.items()
            if partition.is_fold(part) and len(groups) > 1
            for group in groups
            if partition.split_of(fold) == TRAIN or all(trained[c] > 1 for c in labels[group])
        ]
        if able:
            result[min(able)[2]] = fold
    return result


def check_filled(shares: Collection[str], filled: Collection[str]) -> None:
    """Refuses folds of which one has no labelled image.

    Args:
        shares: all parts.
        filled: parts with a labelled image.

    Raises:
        DataError: a fold is empty.
    """
    empty = [part for part in shares if partition.is_fold(part) and part not in filled]
    if empty:
        folds = sum(map(partition.is_fold, shares))
        raise DataError(
            f'{len(empty)} of {folds} folds would have no labelled image, because classes have too '
            'few groups. Add images of other groups, set fewer folds in data.split.folds, or 0 for '
            'one split.'
        )
