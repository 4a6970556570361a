"""Pieces of sentences that many messages share."""

from __future__ import annotations

from collections.abc import Iterable


def abbreviate(items: Iterable[object], most: int) -> str:
    """The first items, and how many more there are: 'a, b, c and 4 more'."""
    names = [str(item) for item in items]
    more = f' and {len(names) - most:,} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more
