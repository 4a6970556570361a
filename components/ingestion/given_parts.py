"""Splits and folds that the source gives: which images have one, and what contradicts that."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from thawline.components.ingestion import hash_split, partition
from thawline.components.ingestion.params import FOLDS
from thawline.components.ingestion.quarantine import LEAK, Rejected
from thawline.components.ingestion.readable_image import ReadableImage
from thawline.components.shared.errors import DataError
from thawline.components.shared.splits import SPLITS, TEST, TRAIN
from thawline.components.shared.text import abbreviate

_SHOWN = 3


def number_folds(rows: Sequence[ReadableImage]) -> list[ReadableImage]:
    """The rows with the part (see `partition`) that a given fold, or the given test split, is.

    Folds are numbered from 0 in the order of their names. Images without a label need none.

    Raises:
        DataError: not from 3 to 20 folds, or a labelled image that is not of test has none.
    """
    empty = [row.path for row in rows if row.label and not row.fold and row.split != TEST]
    if empty:
        raise DataError(
            f'{len(empty)} labelled images have no fold in data.columns.fold: '
            f'{abbreviate(empty, _SHOWN)}. Give each a fold, or the split test.'
        )
    names = sorted({row.fold for row in rows if row.fold and row.split != TEST}, key=_by_number)
    if len(names) not in FOLDS:
        raise DataError(
            f'data.columns.fold gives {len(names)} folds ({abbreviate(names, _SHOWN)}); it must '
            f'give {FOLDS[0]} to {FOLDS[-1]}.'
        )
    part_of = {name: str(number) for number, name in enumerate(names)}
    return [
        row if row.split == TEST else dataclasses.replace(row, split=part_of.get(row.fold or ''))
        for row in rows
    ]


def _by_number(name: str) -> tuple[bool, int, str]:
    """Numbers by their value, before other names."""
    return not name.isdecimal(), int(name) if name.isdecimal() else 0, name


def without_leaks(
    rows: list[ReadableImage],
) -> tuple[list[ReadableImage], list[Rejected]]:
    """Removes copies of one image from the given splits nearer to training, or from other folds.

    Test images must stay unseen, and copies are common; refusing the whole set would help nobody.
    """
    last: dict[str, str] = {}
    for row in rows:
        if row.split and _rank(row.split) > _rank(last.get(row.image_id)):
            last[row.image_id] = row.split
    kept, rejected = [], []
    for row in rows:
        keeper = last.get(row.image_id)
        if row.split and keeper and row.split != keeper:
            names = map(partition.describe, (row.split, keeper))
            rejected.append(Rejected(row.path, LEAK, f'given to {" and to ".join(names)}'))
        else:
            kept.append(row)
    return kept, rejected


def _rank(part: str | None) -> int:
    """How far from training; no fold is farther than another."""
    if part is None:
        return -1
    return SPLITS.index(TRAIN if partition.is_fold(part) else part)


def by_group(rows: Sequence[ReadableImage]) -> dict[str, str]:
    """The part that is given to each group.

    Raises:
        DataError: a group in two of them, or splits given without train.
    """
    conflicts = hash_split.given_conflicts((r.key, r.split) for r in rows)
    if conflicts:
        group, parts = next(iter(conflicts.items()))
        paths = [r.path for r in rows if r.key == group][:_SHOWN]
        kind = 'fold' if any(map(partition.is_fold, parts)) else 'split'
        raise DataError(
            f'{len(conflicts)} groups are given to more than one {kind}, which would leak training '
            f'images into evaluation: {group!r} is in {_listed(parts)} '
            f'({", ".join(paths)} ...). Give all images of a group the same {kind}.'
        )
    given = {r.key: r.split for r in rows if r.split}
    if given and not partition.trained_parts(given.values()):
        raise DataError(
            f'Splits are given, but none is train. Received: {sorted(set(given.values()))}.'
        )
    return given


def _listed(parts: Iterable[str]) -> str:
    return ' and '.join(map(partition.describe, parts))
