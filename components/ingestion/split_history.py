"""The splits of an earlier ingestion, which its images keep when others are added or removed.

They are read from the table of its images (`image_table`). An ingestion names them by a digest of
their content, which is part of its cache key; where the table lies is not.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping
from typing import Self

import pyarrow as pa

from thawline.components.shared import image_table
from thawline.components.shared.errors import Unavailable
from thawline.components.shared.splits import SPLITS

NONE = ''  # no earlier ingestion
LOST = 'lost'  # there was one, but no table of its images is left
UNREAD = 'unread-'  # there is one that could not be read; what follows never recurs
_COLUMNS = 'image_id', 'group', 'split'


@dataclasses.dataclass(frozen=True)
class SplitHistory:
    """What split an earlier ingestion gave to what.

    Attributes:
        images: the split of each image, by its id.
        groups: the split of each group.
    """

    images: Mapping[str, str] = dataclasses.field(default_factory=dict)
    groups: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of_table(cls, table: pa.Table) -> Self:
        """The splits of the images in a table."""
        ids, groups, splits = (table[name].to_pylist() for name in _COLUMNS)
        return cls(dict(zip(ids, splits, strict=True)), dict(zip(groups, splits, strict=True)))

    def split_by_leader(self, images: list[tuple[str, str, str]]) -> dict[str, str]:
        """The split that keeps most images of tied groups where they were, by their leader.

        Images that were in different splits must come together when a new image ties them: the
        fewer move, and of equally many those that are farther from training, since an image that
        was trained on is not unseen any more. A group of new images alone stays where its earlier
        images were.

        Args:
            images: id, group and leader of each.
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
            leader: max(SPLITS, key=lambda split: count[split])  # the first of equals
            for leader, count in (votes | of_groups).items()
        }


def digest(table: pa.Table) -> str:
    """A digest over ids, groups and splits of the images, whatever their order."""
    rows = zip(*(table[name].to_pylist() for name in _COLUMNS), strict=True)
    lines = sorted({'\0'.join(row) for row in rows})
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()


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
