"""Train, val and test: which group goes where.

`assign` is a pure function of (group, seed): adding images never moves a group. Every class gets
its share of every split in expectation. Where chance left a class far short in a split,
`plan_repairs` moves as few groups as it takes, those whose hash lies nearest to that split's
interval. Both depend on the set of groups alone, never on their order.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping

from thawline.components.shared.errors import ConfigError
from thawline.components.shared.splits import SPLITS


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Refuses fractions that are not positive or do not sum to 1.

    Raises:
      ConfigError: as said, or a split is missing or unknown.
    """
    if set(fractions) != set(SPLITS):
        raise ConfigError(f'data.split needs train, val and test. Received: {dict(fractions)}.')
    if any(not 0 < f < 1 for f in fractions.values()) or abs(sum(fractions.values()) - 1) > 1e-6:
        raise ConfigError(
            'data.split needs fractions between 0 and 1 that sum to 1, such as train 0.7, '
            f'val 0.15, test 0.15. Received: {dict(fractions)}.'
        )


def position(group: str, seed: int) -> float:
    """Where a group lies in [0, 1): uniform, and the same for ever."""
    digest = hashlib.sha256(f'{seed}:{group}'.encode()).digest()
    return (int.from_bytes(digest[:8], 'big') >> 11) / 2**53  # A float holds 53 bits exactly.


def assign(group: str, seed: int, fractions: Mapping[str, float]) -> str:
    """The split of a group, by its hash alone."""
    place = position(group, seed)
    for name, (start, end) in _intervals(fractions).items():
        if start <= place < end:
            return name
    return list(fractions)[-1]  # Rounding may leave the last interval just short of 1.


def plan_repairs(
    images: Iterable[tuple[str, str]],
    seed: int,
    fractions: Mapping[str, float],
    fixed: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Groups that must leave the split of their hash, so that every class is in every split.

    First every class gets a group in every split, then as many as it takes to have half its share
    of images there, rounded (at least one). Groups come from splits that keep that bound for each
    of the group's classes; for the first step, if there are none, from splits that keep another
    group of each; and `train`, without which a class cannot be learned, may take the last one.
    So a class with as many groups as splits, none of them shared with another class, reaches
    every split.

    Args:
      images: (group, label) of each image.
      seed: as for `assign`.
      fractions: share of each split, in order, summing to 1.
      fixed: groups whose split is given; they count but never move.

    Returns:
      {group: split} of the moved groups only.
    """
    return _Repair(images, seed, fractions, fixed or {}).run()


def _intervals(fractions: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    intervals, start = {}, 0.0
    for name, fraction in fractions.items():
        intervals[name] = (start, start + fraction)
        start += fraction
    return intervals


class _Repair:
    """The state of one planning: who is where, and how much of each class each split holds."""

    def __init__(
        self,
        images: Iterable[tuple[str, str]],
        seed: int,
        fractions: Mapping[str, float],
        fixed: Mapping[str, str],
    ) -> None:
        self.fractions = fractions
        self.intervals = _intervals(fractions)
        self.fixed = fixed
        self.sizes: dict[str, collections.Counter[str]] = collections.defaultdict(
            collections.Counter
        )
        for group, label in images:
            self.sizes[group][label] += 1
        self.place = {g: position(g, seed) for g in self.sizes}
        self.split = {g: fixed.get(g) or assign(g, seed, fractions) for g in self.sizes}
        self.members: dict[str, list[str]] = collections.defaultdict(list)
        self.count: collections.Counter[tuple[str, str]] = collections.Counter()  # images
        self.groups: collections.Counter[tuple[str, str]] = collections.Counter()
        for group, classes in sorted(self.sizes.items()):
            for label, number in classes.items():
                self.members[label].append(group)
                self.count[label, self.split[group]] += number
                self.groups[label, self.split[group]] += 1
        totals = {c: sum(self.sizes[g][c] for g in gs) for c, gs in self.members.items()}
        self.bound = {
            (c, s): max(1, round(n * f / 2)) for c, n in totals.items()
            for s, f in fractions.items()
        }  # fmt: skip
        self.moved: dict[str, str] = {}

    def run(self) -> dict[str, str]:
        # Small classes first: they have the fewest groups to give.
        labels = sorted(self.members, key=lambda c: (len(self.members[c]), c))
        for label in labels:
            for split in self.fractions:  # train first: without it a class cannot be learned
                if self.groups[label, split]:
                    continue
                allowed = [self._keeps_bounds, self._keeps_presence]
                if split == 'train':
                    allowed.append(lambda group: True)
                any(self._move_into(label, split, rule) for rule in allowed)
        for label in labels:
            for split in sorted(self.fractions, key=lambda s: (self.fractions[s], s)):
                while self.count[label, split] < self.bound[label, split]:
                    if not self._move_into(label, split, self._keeps_bounds):
                        break
        return self.moved

    def _move_into(self, label: str, split: str, allowed: Callable[[str], bool]) -> bool:
        candidates = [
            g for g in self.members[label]
            if g not in self.fixed and g not in self.moved and self.split[g] != split and allowed(g)
        ]  # fmt: skip
        if not candidates:
            return False
        group = min(candidates, key=lambda g: (self._distance(g, split), g))
        for name, number in self.sizes[group].items():
            for where, sign in ((self.split[group], -1), (split, 1)):
                self.count[name, where] += sign * number
                self.groups[name, where] += sign
        self.split[group] = self.moved[group] = split
        return True

    def _distance(self, group: str, split: str) -> float:
        start, end = self.intervals[split]
        place = self.place[group]
        return max(start - place, place - end, 0.0)

    def _keeps_bounds(self, group: str) -> bool:
        here = self.split[group]
        return all(
            self.count[c, here] - n >= self.bound[c, here] for c, n in self.sizes[group].items()
        )

    def _keeps_presence(self, group: str) -> bool:
        return all(self.groups[c, self.split[group]] > 1 for c in self.sizes[group])


def given_conflicts(rows: Iterable[tuple[str, str | None]]) -> dict[str, Collection[str]]:
    """Groups that were given to more than one split, from (group, given split) of each image."""
    given: dict[str, set[str]] = collections.defaultdict(set)
    for group, split in rows:
        if split:
            given[group].add(split)
    return {g: sorted(s) for g, s in sorted(given.items()) if len(s) > 1}
