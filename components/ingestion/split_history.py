"""The splits (or folds) of an earlier ingestion, which its images keep when others come or go.

They are read from the table of its images (`image_table`). An ingestion names them by a digest of
their content, which is part of its cache key; where the table lies is not.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import pyarrow as pa

from thawline.components.ingestion import partition
from thawline.components.shared import image_table
from thawline.components.shared.errors import Unavailable

NONE = ''  # no earlier ingestion
LOST = 'lost'  # there was one, but no table of its images is left
UNREAD = 'unread-'  # there is one that could not be read; what follows never recurs
_COLUMNS = 'image_id', 'group', 'split', image_table.FOLD


@dataclasses.dataclass(frozen=True)
class SplitHistory:
    """What split, or fold, an earlier ingestion gave to what.

    Attributes:
        images: the part (see `partition`) of each image, by its id.
        groups: the part of each group.
    """

    images: Mapping[str, str] = dataclasses.field(default_factory=dict)
    groups: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of_table(cls, table: pa.Table) -> Self:
        """The splits and folds of the images in a table."""
        ids, groups, splits, folds = _columns(table)
        parts = list(map(partition.part_of, splits, folds))
        return cls(dict(zip(ids, parts, strict=True)), dict(zip(groups, parts, strict=True)))

    @property
    def folds(self) -> int:
        """How many folds there were; 0 where the images had splits without folds."""
        return sum(map(partition.is_fold, set(self.images.values())))

    def of_folds(self, folds: int) -> Self | None:
        """The same for so many folds (0: none); None where all must be split anew.

        Where there were a multiple of them, they are joined: fold 7 of 10 goes to fold 2 of 5.
        """
        if self.folds == folds or not self.images:
            return self
        if not folds or not self.folds or self.folds % folds:
            return None

        def joined(part: str) -> str:
            return str(int(part) % folds) if partition.is_fold(part) else part

        return dataclasses.replace(
            self,
            images={name: joined(part) for name, part in self.images.items()},
            groups={name: joined(part) for name, part in self.groups.items()},
        )

    def part_by_leader(
        self, images: list[tuple[str, str, str]], parts: Sequence[str]
    ) -> dict[str, str]:
        """The part that keeps most images of tied groups where they were, by their leader.

        Images that were in different splits must come together when a new image ties them: the
        fewer move, and of equally many those that are farther from training, since an image that
        was trained on is not unseen any more. A group of new images alone stays where its earlier
        images were.

        Args:
            images: id, group and leader of each.
            parts: all there are, those of train first.
        """
        votes: dict[str, collections.Counter[str]] = {}
        for image, _, leader in images:
            if image in self.images:
                votes.setdefault(leader, collections.Counter())[self.images[image]] += 1
        of_groups: dict[str, collections.Counter[str]] = {}
        for _, group, leader in images:
            if leader not in votes and group in self.groups:
                of_groups.setdefault(leader, collections.Counter())[self.groups[group]] += 1
        return {
            leader: max(parts, key=lambda part: count[part])  # the first of equals
            for leader, count in (votes | of_groups).items()
        }


def has_folds(table: pa.Table) -> bool:
    """Whether the images of a table are in folds."""
    return bool(table[image_table.FOLD].null_count < table.num_rows)


def digest(table: pa.Table) -> str:
    """A digest over ids, groups, splits and folds of the images, whatever their order."""
    lines = set()
    for image, group, split, fold in zip(*_columns(table), strict=True):
        # Without folds as before there were any: the digest is in cache keys.
        lines.add('\0'.join((image, group, split, *(() if fold is None else (str(fold),)))))
    return hashlib.sha256('\n'.join(sorted(lines)).encode()).hexdigest()


def _columns(table: pa.Table) -> Iterator[list[Any]]:
    return (table[name].to_pylist() for name in _COLUMNS)


def find(folder: pathlib.Path, wanted: str) -> SplitHistory | None:
    """The splits with a digest, from the tables of the ingestions below `folder`, newest first.

    Args:
        folder: with a folder for each ingestion, named by the number of its execution.
        wanted: the digest, or `NONE`.

    Returns:
        None where no table has the digest.

    Raises:
        Unavailable: the driver could not read a table.
    """
    if wanted == NONE:
        return SplitHistory()
    if wanted.startswith(UNREAD):
        raise Unavailable(
            f'A table of the images of an earlier ingestion in {folder} could not be read, and '
            'without it images would change their splits. Make these files readable.'
        )
    numbers = sorted((int(p.name) for p in folder.glob('*') if p.name.isdigit()), reverse=True)
    for number in numbers if wanted != LOST else ():
        table = image_table.read(str(folder / str(number)))
        if table is not None and digest(table) == wanted:
            return SplitHistory.of_table(table)
    return None
