"""When a missed quota and a moved image are worth a word."""

from __future__ import annotations

import pytest

from thawline.components.ingestion import split_notes

FRACTIONS = {'train': 0.5, 'val': 0.25, 'test': 0.25}


def missed(
    train: int, val: int, test: int, label: str = 'roses', keeps_history: bool = False
) -> list[str]:
    images = [
        (split, label)
        for split, n in zip(FRACTIONS, (train, val, test), strict=True)
        for _ in range(n)
    ]
    return split_notes.missed_quotas(images, {s: s for s in FRACTIONS}, FRACTIONS, keeps_history)


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


def test_only_a_split_that_is_kept_can_be_left() -> None:
    (note,) = missed(60, 25, 15)
    (kept,) = missed(60, 25, 15, keeps_history=True)
    assert 'because groups stay whole: ' in note and 'data.split.seed' not in note
    assert 'groups stay whole and images keep the split' in kept
    assert kept.endswith('; another data.split.seed splits anew')


def test_images_without_a_label_are_called_so() -> None:
    assert 'unlabelled has 15 in test' in missed(60, 25, 15, '')[0]


def test_a_class_that_is_absent_hides_no_other() -> None:
    images = [('train', 'asters')] * 40 + [('val', 'asters')] * 2
    images += [(s, 'roses') for s, n in zip(FRACTIONS, (60, 25, 15), strict=True) for _ in range(n)]
    (note,) = split_notes.missed_quotas(images, {s: s for s in FRACTIONS}, FRACTIONS, False)
    assert 'roses' in note and 'asters' not in note


def test_the_farthest_come_first() -> None:
    (note,) = missed(60, 25, 15)
    assert note.endswith('roses has 15 in test instead of 25, roses has 60 in train instead of 50')


def test_moves_are_named_and_counted() -> None:
    moves = [(f'{i}.jpg', 'test', 'train') for i in range(7)]
    (note,) = split_notes.moved_images(moves)
    assert note.startswith('7 images') and '0.jpg (test to train)' in note
    assert note.endswith('and 2 more')
    assert split_notes.moved_images([]) == []
