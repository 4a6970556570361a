"""What happens between reading and writing."""

from __future__ import annotations

import collections

import pytest

from thawline.components.ingestion.hash_split import assign
from thawline.components.ingestion.quarantine import CONFLICTING_LABELS, LEAK
from thawline.components.ingestion.split_plan import ReadableImage, SplitPlan, plan_splits
from thawline.components.shared.errors import DataError

FRACTIONS = {'train': 0.7, 'val': 0.15, 'test': 0.15}


def rows(
    label: str, count: int, split: str | None = None, group: str | None = None
) -> list[ReadableImage]:
    return [
        ReadableImage(f'{label}/{split}/{i}.png', f'{label}-{split}-{i}', group, label, split)
        for i in range(count)
    ]


def plan(found: list[ReadableImage], normalise: bool = False) -> SplitPlan:
    return plan_splits(found, 0, FRACTIONS, normalise)


def where(found: list[ReadableImage], made: SplitPlan) -> dict[str, str]:
    gone = {r.path for r in made.rejected}
    return {r.path: made.split_of(r.key, 0, FRACTIONS) for r in found if r.path not in gone}


def test_without_given_splits_the_hash_decides() -> None:
    found = rows('a', 200) + rows('b', 200)
    made = plan(found)
    assert made.overrides == {}
    assert where(found, made) == {r.path: assign(r.key, 0, FRACTIONS) for r in found}


def test_given_splits_win() -> None:
    found = [r for c in 'ab' for s in FRACTIONS for r in rows(c, 5, s)]
    assert where(found, plan(found)) == {r.path: r.split for r in found}


@pytest.mark.parametrize(
    ('given', 'carved'), [(('train', 'test'), {'val'}), (('train',), {'val', 'test'})]
)
def test_missing_splits_come_out_of_train(given: tuple[str, ...], carved: set[str]) -> None:
    found = [r for c in 'ab' for s in given for r in rows(c, 100, s)]
    result = where(found, plan(found))
    for row in found:
        assert result[row.path] in ({row.split} | carved if row.split == 'train' else {row.split})
    counts = collections.Counter(result.values())
    share = FRACTIONS['val'] / (1 - sum(FRACTIONS[s] for s in given if s != 'train'))
    assert counts['val'] / 200 == pytest.approx(share, abs=0.08)


def test_images_without_a_split_are_hashed_beside_given_ones() -> None:
    found = [r for c in 'ab' for s in FRACTIONS for r in rows(c, 5, s)] + rows('a', 50)
    result = where(found, plan(found))
    assert {result[r.path] for r in found if r.split is None} == set(FRACTIONS)


def test_group_in_two_given_splits_is_refused() -> None:
    found = rows('a', 5, 'train', 'p1') + rows('b', 5, 'test', 'p1') + rows('b', 5, 'val', 'p2')
    with pytest.raises(DataError, match=r"'p1' is in test and train \(a/train/0.png"):
        plan(found)


def test_given_splits_without_train_are_refused() -> None:
    with pytest.raises(DataError, match="none is train. Received: \\['test', 'val'\\]"):
        plan(rows('a', 5, 'val') + rows('b', 5, 'test'))


def test_copies_in_two_given_splits_leave_training() -> None:
    found = [r for c in 'ab' for s in FRACTIONS for r in rows(c, 5, s)]
    found += [ReadableImage('copy.png', 'a-test-0', None, 'a', 'train')]
    made = plan(found)
    assert [(r.path, r.reason) for r in made.rejected] == [('copy.png', LEAK)]
    assert any('occur in two given splits' in note for note in made.notes)


def test_copies_share_a_split_even_across_groups() -> None:
    found = [
        ReadableImage(f'{i}.png', f'id{i // 2}', f'g{i}', 'ab'[i // 2 % 2], None) for i in range(80)
    ]
    made = plan(found)
    result = where(found, made)
    assert all(result[f'{i}.png'] == result[f'{i + 1}.png'] for i in range(0, 80, 2))
    assert any(note.startswith('40 images are exact copies') for note in made.notes)


def test_groups_are_never_split() -> None:
    found = [
        ReadableImage(f'{i}.png', f'id{i}', f'g{i % 9}', 'ab'[i % 2], None) for i in range(200)
    ]
    result = where(found, plan(found))
    for group in range(9):
        assert len({result[f'{i}.png'] for i in range(group, 200, 9)}) == 1


def test_tied_groups_with_different_given_splits_are_refused() -> None:
    found = rows('a', 4, 'train', 'g1') + rows('b', 4, 'train', 'g2') + rows('b', 4, 'test', 'g3')
    same = [
        ReadableImage('x', 'same', 'g1', 'a', 'train'),
        ReadableImage('y', 'same', 'g4', 'a', None),
    ]
    tied = [
        ReadableImage('z', 'other', 'g4', 'a', None),
        ReadableImage('w', 'other', 'g3', 'a', None),
    ]
    with pytest.raises(DataError, match='share an image'):
        plan(found + same + tied)


def test_labels_of_records_are_checked_too() -> None:
    found = rows('a', 5) + rows('A', 3) + rows('b', 5)
    with pytest.raises(DataError, match='only in case'):
        plan(found)
    assert plan(found, normalise=True).classes == {'a': 'a', 'A': 'a', 'b': 'b'}


def test_one_surviving_class_is_refused() -> None:
    with pytest.raises(DataError, match="one class, 'a'"):
        plan(rows('a', 5))
    with pytest.raises(DataError, match='No readable image'):
        plan([])


def test_class_missing_in_a_split_is_noted() -> None:
    found = rows('a', 100) + rows('b', 5, None, 'only')
    assert 'val has no image of b: too few groups' in plan(found).notes


def test_all_copies_of_an_image_with_different_labels_leave() -> None:
    found = rows('a', 9) + rows('b', 9) + [ReadableImage('x', 'a-None-0', None, 'b', None)]
    conflicting = {r.path for r in found if r.image_id == 'a-None-0'}
    rejected = plan(found).rejected
    assert {r.path for r in rejected} == conflicting and len(conflicting) == 2
    assert {r.reason for r in rejected} == {CONFLICTING_LABELS}
    assert all("x: 'b'" in r.detail for r in rejected)


def test_a_class_that_conflicts_would_leave_empty_is_refused() -> None:
    found = rows('a', 9) + rows('b', 9) + [ReadableImage('x', 'a-None-0', None, 'c', None)]
    with pytest.raises(DataError, match='All images of c occur with other labels'):
        plan(found)


def test_unlabelled_images() -> None:
    found = [ReadableImage(f'{i}', f'{i}') for i in range(30)]
    made = plan(found)
    assert made.classes == {}
    assert set(where(found, made).values()) == set(FRACTIONS)


def test_the_copy_farthest_from_training_stays() -> None:
    found = [r for c in 'ab' for s in FRACTIONS for r in rows(c, 5, s)]
    found += [ReadableImage(f'{s}.png', 'copy', None, 'a', s) for s in ('val', 'test', 'train')]
    found += [ReadableImage(f'{s}2.png', 'copy2', None, 'a', s) for s in ('train', 'val', 'val')]
    assert {(r.path, r.detail) for r in plan(found).rejected} == {
        ('train.png', 'given to train and to test'),
        ('val.png', 'given to val and to test'),
        ('train2.png', 'given to train and to val'),
    }


def test_each_image_with_two_labels_leaves() -> None:
    found = rows('a', 9) + rows('b', 9)
    found += [ReadableImage(f'x{i}', f'a-None-{i}', None, 'b', None) for i in (0, 1)]
    paths = {r.path for r in plan(found).rejected}
    assert paths == {'x0', 'x1', 'a/None/0.png', 'a/None/1.png'}


def test_sets_without_copies_have_no_note_on_them() -> None:
    assert plan(rows('a', 100) + rows('b', 100)).notes == ()


@pytest.mark.parametrize('seed', range(1, 6))
def test_a_small_class_reaches_every_split_for_any_seed(seed: int) -> None:
    found = rows('a', 200) + rows('b', 3)
    made = plan_splits(found, seed, FRACTIONS, False)
    splits = {made.split_of(r.key, seed, FRACTIONS) for r in found if r.label == 'b'}
    assert splits == set(FRACTIONS) and made.notes == ()


def test_the_seed_decides_which_images_leave_train_for_missing_splits() -> None:
    found = [r for c in 'ab' for r in rows(c, 100, 'train')]
    for seed in (0, 3):
        made = plan_splits(found, seed, FRACTIONS, False)
        result = {r.path: made.split_of(r.key, seed, FRACTIONS) for r in found}
        assert result == {r.path: assign(r.key, seed, FRACTIONS) for r in found}


def test_small_classes_get_their_share_of_missing_splits() -> None:
    found = [r for s in ('train', 'test') for r in rows('a', 200, s) + rows('b', 3, s)]
    for seed in range(5):
        made = plan_splits(found, seed, FRACTIONS, False)
        given = [r for r in found if r.label == 'b' and r.split == 'train']
        assert {made.split_of(r.key, seed, FRACTIONS) for r in given} == {'train', 'val'}
