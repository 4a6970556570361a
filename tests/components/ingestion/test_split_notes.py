"""When a missed quota and a moved image are worth a word."""

from __future__ import annotations

import pytest

from thawline.components.ingestion import split_notes

FRACTIONS = {'train': 0.5, 'val': 0.25, 'test': 0.25}


def missed(train: int, val: int, test: int) -> list[str]:
    images = [
        (split, 'roses')
        for split, n in zip(FRACTIONS, (train, val, test), strict=True)
        for _ in range(n)
    ]
    return split_notes.missed_quotas(images, {s: s for s in FRACTIONS}, FRACTIONS, False)


@pytest.mark.parametrize(
    ('counts', 'is_noted'),
    [
        ((50, 25, 25), False),
        ((51, 24, 25), False),
        ((52, 24, 24), True),
        ((52_0, 24_0, 24_0), True),
        ((5010, 2490, 2500), False),  # less than 1 % of any
        ((5060, 2470, 2470), True),
        ((75, 25, 0), False),  # an absence has a note of its own
    ],
)
def test_quotas_missed_by_more_than_an_image_are_noted(
    counts: tuple[int, int, int], is_noted: bool
) -> None:
    assert bool(missed(*counts)) == is_noted


def test_the_farthest_come_first() -> None:
    (note,) = missed(60, 25, 15)
    assert note.endswith('roses has 15 in test instead of 25, roses has 60 in train instead of 50')


def test_moves_are_named_and_counted() -> None:
    moves = [(f'{i}.jpg', 'test', 'train') for i in range(7)]
    (note,) = split_notes.moved_images(moves)
    assert note.startswith('7 images') and '0.jpg (test to train)' in note
    assert note.endswith('and 2 more')
    assert split_notes.moved_images([]) == []
