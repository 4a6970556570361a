"""Where hashes put groups: pure, and the same for ever."""

from __future__ import annotations

import collections

import pytest

from thawline.components.ingestion.hash_split import (
    assign,
    intervals,
    position,
    split_at,
)

FRACTIONS = {'train': 0.7, 'val': 0.15, 'test': 0.15}


def test_known_positions() -> None:
    """They must never change between releases: a plan names only what is elsewhere."""
    assert position('a', 0) == pytest.approx(0x9DF3C6 / 2**24, abs=1e-6)  # sha256('0:a')
    assert [assign(g, 0, FRACTIONS) for g in 'abcdefgh'] == [
        next(s for s, end in (('train', 0.7), ('val', 0.85), ('test', 1)) if position(g, 0) < end)
        for g in 'abcdefgh'
    ]


def test_fractions_hold() -> None:
    counts = collections.Counter(assign(str(i), 7, FRACTIONS) for i in range(20_000))
    for name, fraction in FRACTIONS.items():
        assert counts[name] / 20_000 == pytest.approx(fraction, abs=0.01)


def test_intervals_touch_and_rounding_leaves_no_gap() -> None:
    assert intervals({'train': 0.5, 'val': 0.25, 'test': 0.25}) == {
        'train': (0.0, 0.5), 'val': (0.5, 0.75), 'test': (0.75, 1.0)
    }  # fmt: skip
    thirds = {'train': 0.33, 'val': 0.33, 'test': 0.339}
    assert [split_at(place, thirds) for place in (0.0, 0.33, 0.66, 0.9995)] == [
        'train', 'val', 'test', 'test'
    ]  # fmt: skip
