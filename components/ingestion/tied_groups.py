"""Groups that must share a split, by what ties them together."""

from __future__ import annotations

from collections.abc import Iterable


class TiedGroups:
    """Sets of groups that grow together; the lowest group of a set speaks for it."""

    def __init__(self, images: Iterable[tuple[str, str]] = ()) -> None:
        """Ties groups that share an image, given as id and group of each."""
        self._leader: dict[str, str] = {}
        first: dict[str, str] = {}
        for image, group in images:
            self.tie(group, first.setdefault(image, group))

    def leader(self, group: str) -> str:
        """The lowest group of those that this one is tied to."""
        while self._leader.setdefault(group, group) != group:
            self._leader[group] = self._leader[self._leader[group]]
            group = self._leader[group]
        return group

    def tie(self, a: str, b: str) -> str:
        """Ties two groups; returns their leader."""
        lower, higher = sorted((self.leader(a), self.leader(b)))
        self._leader[higher] = lower
        return lower

    def leaders(self) -> dict[str, str]:
        """Group -> leader, of all that were named."""
        return {group: self.leader(group) for group in self._leader}


def tie_groups(images: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Group -> representative of all groups that share an image (by content).

    Args:
        images: id and group of each.
    """
    return TiedGroups(images).leaders()
