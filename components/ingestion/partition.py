"""What images are shared out over: train, val and test, or folds and, where it is wanted, test.

A part is the name of a split, or the number of a fold in digits. With folds, fold 0 is the split
val and the others are train, so the nodes before the Trainer need not know of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from thawline.components.ingestion import hash_split
from thawline.components.ingestion.params import Split
from thawline.components.shared.splits import SPLITS, TEST, TRAIN, VAL, part_name

_VAL_FOLD = '0'


def is_fold(part: str) -> bool:
    """Whether a part is a fold."""
    return part.isdecimal()


def fold_of(part: str) -> int | None:
    """The number of a fold; None for a split."""
    return int(part) if is_fold(part) else None


def split_of(part: str) -> str:
    """The split that a part belongs to."""
    if not is_fold(part):
        return part
    return VAL if part == _VAL_FOLD else TRAIN


def part_of(split: str, fold: int | None) -> str:
    """The part that an image of a split and a fold (None: without folds, or of test) is in."""
    return split if fold is None else str(fold)


def describe(part: str) -> str:
    """A part, for people."""
    return part_name(part, fold_of(part))


def trained_parts(parts: Iterable[str]) -> list[str]:
    """Those that are the split train."""
    return [part for part in parts if split_of(part) == TRAIN]


@dataclasses.dataclass(frozen=True)
class Partition:
    """The parts of a set of images.

    Attributes:
        seed: of the hashes that groups start from.
        shares: of each part, summing to 1; those of train come first, test last.
    """

    seed: int
    shares: Mapping[str, float]

    @classmethod
    def plain(cls, split: Split) -> Partition:
        """Train, val and test."""
        return cls(split.seed, split.fractions)

    @classmethod
    def folded(cls, split: Split, folds: int) -> Partition:
        """So many folds of equal shares, and test where the settings give it one."""
        # Fold 0 after the others: what is too small for all parts must reach train first.
        names = [*map(str, range(1, folds)), _VAL_FOLD]
        test = split.test_with_folds
        shares = {name: (1 - test) / folds for name in names}
        return cls(split.seed, {**shares, TEST: test} if test else shares)

    @property
    def folds(self) -> int:
        """How many folds; 0 without."""
        return sum(map(is_fold, self.shares))

    @property
    def splits(self) -> list[str]:
        """The splits that there are."""
        present = set(map(split_of, self.shares))
        return [split for split in SPLITS if split in present]

    def assign(self, group: str) -> str:
        """The part of a group by its hash alone."""
        return hash_split.assign(group, self.seed, self.shares)
