"""Shares groups of images out over the splits, or over folds, by quotas of each class.

Groups of one image fill the quotas exactly. Larger ones, and those of several classes, begin in the
split of their hash; then single groups move, and pairs change places, as long as that brings the
counts nearer to the quotas. Groups that hold the same numbers of the same classes are alike, so the
search decides only how many of a kind are in each split, and the order of their hashes decides
which: train has the lowest, test the highest. So the split depends on the set of groups, never on
their order, and another set that is nearly the same is split nearly the same.

Local search in place of Sechidis et al. (2011), "On the stratification of multi-label data": their
greedy order lets one image more change all choices after it.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from thawline.components.ingestion import hash_split, partition
from thawline.components.ingestion.quotas import quotas

_GAIN = 1e-9  # the least that a change must bring
_NEAR = 1e-6  # distance an image at which no exchange is sought: 0.26 % of a quota of 15 %
_TOWARDS = 10  # pairs of splits that are considered at once: all of five folds
_MOVES = 64  # kinds that are considered for one move
_PAIRS = 16  # on each side of an exchange
_EXCHANGES = 8  # of a class in one pass
_PASSES = 4


def share_out(
    images: Iterable[tuple[str, str]],
    seed: int,
    fractions: Mapping[str, float],
    fixed: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The split of each group, or its fold.

    What counts, in this order: that every class is in train, that it is in the other splits (with
    folds: in each fold), and the distance to the quotas (the sum over classes and splits of its
    square over the quota).

    Args:
      images: (group, label) of each image.
      seed: of the hash.
      fractions: share of each split or fold (`partition`), in order, those of train first, summing
        to 1.
      fixed: groups whose split is certain; they count but never move.
    """
    return _Stratification(images, seed, fractions, fixed or {}).run()


@dataclasses.dataclass
class _Kind:
    """Groups that hold the same numbers of the same classes.

    Attributes:
        classes: (number of the class, images).
        members: free groups of this kind, by their hash.
        counts: how many of them are in each split.
    """

    classes: tuple[tuple[int, int], ...]
    members: list[tuple[float, str]]
    counts: list[int]

    @property
    def is_single(self) -> bool:
        return len(self.classes) == 1 and self.classes[0][1] == 1

    def distance(self, interval: tuple[float, float]) -> float:
        """How far a group's hash is from the hashes of a split; of several one is near."""
        place = self.members[0][0]
        return max(interval[0] - place, place - interval[1], 0.0) if len(self.members) == 1 else 0.0


_Move = tuple[_Kind, int, int]  # a group of this kind leaves a split for another
_Change = tuple[_Move, _Move | None]
_Cost = tuple[int, float]  # absences of classes, then the distance from the quotas


class _Stratification:
    """The state of a search: how many groups of each kind, and images of each class, are where.

    Splits and classes are numbers here. Images of groups of one are left out of `placed` during the
    search: they go where they are needed in the end, and the cost of a class foresees that.
    """

    def __init__(
        self,
        images: Iterable[tuple[str, str]],
        seed: int,
        fractions: Mapping[str, float],
        fixed: Mapping[str, str],
    ) -> None:
        self._splits = list(fractions)
        self._intervals = list(hash_split.intervals(fractions).values())
        contents: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        for group, name in images:
            contents[group][name] += 1
        sizes: collections.Counter[str] = collections.Counter()
        for content in contents.values():
            sizes.update(content)
        names = sorted(sizes, key=lambda c: (sizes[c], c))  # small ones have the least choice
        number = {name: label for label, name in enumerate(names)}
        by_name = quotas(sizes, fractions)
        self._quotas = [[by_name[name][split] for split in self._splits] for name in names]
        self._absence, self._unlearned = _absence_costs(self._splits, len(names))
        self._trained = len(partition.trained_parts(self._splits))
        self._placed = [[0] * len(self._splits) for _ in names]
        self._singles = [0] * len(names)
        self._split = {group: fixed[group] for group in contents if group in fixed}
        self._kinds = self._collect(contents, number, seed, fractions)
        self._of_class: list[list[_Kind]] = [[] for _ in names]
        for kind in self._kinds:
            for label, size in kind.classes:
                if kind.is_single:
                    self._singles[label] = len(kind.members)
                    continue
                self._of_class[label].append(kind)
                for split, count in enumerate(kind.counts):
                    self._placed[label][split] += count * size
        self._nearest: dict[tuple[int, int], list[_Kind]] = {}
        self._costs = [self._cost(label, placed) for label, placed in enumerate(self._placed)]

    def _collect(
        self,
        contents: Mapping[str, Mapping[str, int]],
        number: Mapping[str, int],
        seed: int,
        fractions: Mapping[str, float],
    ) -> list[_Kind]:
        """The free groups by their kind, in the split of their hash; fixed ones are placed."""
        places = {split: place for place, split in enumerate(self._splits)}
        kinds: dict[tuple[tuple[int, int], ...], _Kind] = {}
        for group, content in contents.items():
            classes = tuple(sorted((number[name], count) for name, count in content.items()))
            if group in self._split:
                for label, count in classes:
                    self._placed[label][places[self._split[group]]] += count
                continue
            kind = kinds.setdefault(classes, _Kind(classes, [], [0] * len(places)))
            position = hash_split.position(group, seed)
            kind.members.append((position, group))
            kind.counts[places[hash_split.split_at(position, fractions)]] += 1
        for kind in kinds.values():
            kind.members.sort()
        return sorted(kinds.values(), key=lambda kind: kind.members[0])

    def run(self) -> dict[str, str]:
        """Searches, fills up with groups of one image, and names the groups."""
        for _ in range(_PASSES):
            improved = [self._improve(label) for label in range(len(self._quotas))]
            if not any(improved):
                break
        for kind in self._kinds:
            if kind.is_single:
                kind.counts = self._fill(kind.classes[0][0], len(kind.members))
            splits = (
                split
                for split, count in zip(self._splits, kind.counts, strict=True)
                for _ in range(count)
            )
            for (_, group), split in zip(kind.members, splits, strict=True):
                self._split[group] = split
        return self._split

    def _improve(self, label: int) -> bool:
        """Moves and exchanges for one class, until none helps; whether there were any."""
        improved, exchanges = False, 0
        near = _NEAR * sum(self._quotas[label])
        steps = 2 * sum(len(kind.members) for kind in self._of_class[label]) + 10
        for _ in range(steps):
            if self._costs[label] < (0, _GAIN):
                break
            change = self._best(self._moves(label))
            if change is None and exchanges < _EXCHANGES and self._costs[label] > (0, near):
                change = self._best(self._exchanges(label))
                exchanges += 1
            if change is None:
                break
            self._apply(change)
            improved = True
        return improved

    def _towards(self, label: int) -> Iterator[tuple[int, int]]:
        """From which split to which there is something to gain for a class."""
        over = [
            (placed - quota) / max(quota, 1)
            for placed, quota in zip(self._placed[label], self._quotas[label], strict=True)
        ]
        pairs = [
            (source, target)
            for source, target in itertools.permutations(range(len(self._splits)), 2)
            if over[source] > over[target]
        ]
        if len(pairs) > _TOWARDS:  # of many folds, those that are farthest apart
            pairs.sort(key=lambda pair: over[pair[1]] - over[pair[0]])
        return iter(pairs[:_TOWARDS])

    def _near(self, label: int, source: int, target: int, most: int) -> list[_Kind]:
        """Kinds with a group of the class in `source`, those whose hash is near `target` first."""
        if (label, target) not in self._nearest:
            interval = self._intervals[target]
            self._nearest[label, target] = sorted(
                self._of_class[label],
                key=lambda kind: (kind.distance(interval), kind.members[0]),
            )
        there = (kind for kind in self._nearest[label, target] if kind.counts[source])
        return list(itertools.islice(there, most))

    def _moves(self, label: int) -> Iterator[_Change]:
        for source, target in self._towards(label):
            for kind in self._near(label, source, target, _MOVES):
                yield (kind, source, target), None

    def _exchanges(self, label: int) -> Iterator[_Change]:
        for source, target in self._towards(label):
            back = self._near(label, target, source, _PAIRS)
            for kind in self._near(label, source, target, _PAIRS):
                for other in back:
                    if other is not kind:
                        yield (kind, source, target), (other, target, source)

    def _best(self, changes: Iterator[_Change]) -> _Change | None:
        """The change that gains most, the first of equals; None where none gains anything."""
        best, most = None, (0, 0.0)
        for change in changes:
            absence, distance = self._gain(change)
            if (absence, distance - _GAIN) > most:
                best, most = change, (absence, distance)
        return best

    def _after(self, change: _Change) -> dict[int, list[int]]:
        """Images of the classes concerned, by split."""
        placed: dict[int, list[int]] = {}
        for move in filter(None, change):
            kind, source, target = move
            for label, count in kind.classes:
                row = placed.setdefault(label, self._placed[label].copy())
                row[source] -= count
                row[target] += count
        return placed

    def _gain(self, change: _Change) -> _Cost:
        absence, distance = 0, 0.0
        for label, placed in self._after(change).items():
            before, after = self._costs[label], self._cost(label, placed)
            absence += before[0] - after[0]
            distance += before[1] - after[1]
        return absence, distance

    def _apply(self, change: _Change) -> None:
        for label, placed in self._after(change).items():
            self._placed[label] = placed
            self._costs[label] = self._cost(label, placed)
        for move in filter(None, change):
            kind, source, target = move
            kind.counts[source] -= 1
            kind.counts[target] += 1

    def _cost(self, label: int, placed: list[int]) -> _Cost:
        """Absences of a class and its distance from the quotas, once it is filled up."""
        targets = self._quotas[label]
        absent = [
            penalty
            for penalty, images, quota in zip(self._absence, placed, targets, strict=True)
            if not images and quota
        ]
        spare = self._singles[label]
        if not spare and not any(placed[: self._trained]):
            absent.append(self._unlearned)
        distance, level, below = 0.0, 1.0, list(range(len(targets)))
        while spare and below:
            # All splits that are filled up end at the same part of their quota.
            level = (spare + sum(placed[s] for s in below)) / sum(targets[s] or 1 for s in below)
            full = [s for s in below if placed[s] > level * (targets[s] or 1)]
            if not full:
                break
            below = [s for s in below if s not in full]
        for split, (images, quota) in enumerate(zip(placed, targets, strict=True)):
            weight = quota or 1
            there = level * weight if spare and split in below else images
            distance += (there - quota) ** 2 / weight
        return sum(sorted(absent, reverse=True)[spare:]), distance

    def _fill(self, label: int, images: int) -> list[int]:
        """How many of some groups of one image go to each split."""
        placed, targets = self._placed[label], self._quotas[label]
        missing = [max(quota - there, 0) for there, quota in zip(placed, targets, strict=True)]
        if sum(missing) == images:
            return missing
        added = [0] * len(targets)

        def need(split: int) -> tuple[bool, float]:
            there, quota = placed[split] + added[split], targets[split]
            return not there and quota > 0, -(2 * (there - quota) + 1) / (quota or 1)

        for _ in range(images):
            added[max(range(len(targets)), key=need)] += 1
        return added


def _absence_costs(parts: Sequence[str], classes: int) -> tuple[list[int], int]:
    """What the absence of a class costs in each part, and what one from all of train adds.

    What is not in train cannot be learned; val, which carries the gate, comes before test. No fold
    comes before another, but a class in fold 0 alone would be in no fold of train.
    """
    if partition.is_fold(parts[0]):
        return [10 if partition.is_fold(part) else 5 for part in parts], 1000 * classes
    others = len(parts) - 1
    return [100 * classes, *(10 + others - place for place in range(others))], 0
