"""Where the hash of a group puts it among train, val and test, or among folds.

It is where `stratify` starts from. What a plan says about a group is only where it differs.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Collection, Iterable, Mapping


def position(group: str, seed: int) -> float:
    """Where a group lies in [0, 1): uniform, and the same for ever."""
    digest = hashlib.sha256(f'{seed}:{group}'.encode()).digest()
    return (int.from_bytes(digest[:8], 'big') >> 11) / 2**53  # A float holds 53 bits exactly.


def split_at(place: float, fractions: Mapping[str, float]) -> str:
    """The split that a place in [0, 1) belongs to."""
    for name, (start, end) in intervals(fractions).items():
        if start <= place < end:
            return name
    return list(fractions)[-1]  # Rounding may leave the last interval just short of 1.


def assign(group: str, seed: int, fractions: Mapping[str, float]) -> str:
    """The split of a group, by its hash alone."""
    return split_at(position(group, seed), fractions)


def intervals(fractions: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Start and end of each split in [0, 1)."""
    result, start = {}, 0.0
    for name, fraction in fractions.items():
        result[name] = (start, start + fraction)
        start += fraction
    return result


def given_conflicts(rows: Iterable[tuple[str, str | None]]) -> dict[str, Collection[str]]:
    """Groups that were given to more than one split, from (group, given split) of each image."""
    given: dict[str, set[str]] = collections.defaultdict(set)
    for group, split in rows:
        if split:
            given[group].add(split)
    return {g: sorted(s) for g, s in sorted(given.items()) if len(s) > 1}
