"""What happens between reading and writing."""

from __future__ import annotations

import collections

import pytest

from thawline.components.ingestion.hash_split import assign
from thawline.components.ingestion.params import Split
from thawline.components.ingestion.quarantine import CONFLICTING_LABELS, LEAK
from thawline.components.ingestion.readable_image import ReadableImage
from thawline.components.ingestion.split_history import SplitHistory
from thawline.components.ingestion.split_plan import SplitPlan, _order, plan_splits
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
    return plan_splits(found, Split(folds=0), normalise)


def where(found: list[ReadableImage], made: SplitPlan) -> dict[str, str]:
    gone = {r.path for r in made.rejected}
    return {r.path: made.split_of(r.key) for r in found if r.path not in gone}


def per_class(found: list[ReadableImage], made: SplitPlan) -> dict[str, list[int]]:
    """Images of each class in train, val and test."""
    splits = where(found, made)
    counts = collections.Counter((r.label or '', splits[r.path]) for r in found)
    return {
        label: [counts[label, split] for split in FRACTIONS]
        for label in sorted({r.label or '' for r in found})
    }


def history(splits: dict[str, str], groups: dict[str, str] | None = None) -> SplitHistory:
    """Splits of images, each a group of its own by default."""
    return SplitHistory(splits, splits if groups is None else groups)


def test_without_given_splits_the_quotas_of_each_class_are_met() -> None:
    found = rows('a', 20) + rows('b', 100)
    made = plan(found)
    assert per_class(found, made) == {'a': [14, 3, 3], 'b': [70, 15, 15]}
    assert all(
        split != assign(group, 0, FRACTIONS) for group, split in made.overrides.items()
    )  # only what is elsewhere
    assert len(made.overrides) < 25 and made.notes == ()


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


def test_images_without_a_split_fill_up_their_class_beside_given_ones() -> None:
    found = [r for c in 'ab' for s in FRACTIONS for r in rows(c, 5, s)] + rows('a', 50)
    result = where(found, plan(found))
    assert {result[r.path] for r in found if r.split is None} == set(FRACTIONS)
    assert per_class(found, plan(found))['a'] == [45, 10, 10]  # of 65


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
    made = plan_splits(found, Split(folds=0, seed=seed), False)
    splits = {made.split_of(r.key) for r in found if r.label == 'b'}
    assert splits == set(FRACTIONS) and made.notes == ()


def test_the_seed_decides_which_images_leave_train_for_missing_splits() -> None:
    found = [r for c in 'ab' for r in rows(c, 100, 'train')]
    plans = [plan_splits(found, Split(folds=0, seed=seed), False) for seed in (0, 3)]
    splits = [
        {r.path: made.split_of(r.key) for r in found}
        for made, seed in zip(plans, (0, 3), strict=True)
    ]
    assert splits[0] != splits[1]
    for of_seed in splits:
        assert collections.Counter(of_seed.values()) == {'train': 140, 'val': 30, 'test': 30}


def test_small_classes_get_their_share_of_missing_splits() -> None:
    found = [r for s in ('train', 'test') for r in rows('a', 200, s) + rows('b', 3, s)]
    for seed in range(5):
        made = plan_splits(found, Split(folds=0, seed=seed), False)
        given = [r for r in found if r.label == 'b' and r.split == 'train']
        assert {made.split_of(r.key) for r in given} == {'train', 'val'}


def test_images_keep_their_splits_and_new_ones_fill_the_quotas() -> None:
    before = rows('a', 20) + rows('b', 20)
    splits = where(before, plan(before))
    old = history({r.image_id: splits[r.path] for r in before})
    found = rows('a', 40) + rows('b', 20)
    made = plan_splits(found, Split(folds=0), False, old)
    after = where(found, made)
    assert all(after[path] == split for path, split in splits.items())
    assert per_class(found, made) == {'a': [28, 6, 6], 'b': [14, 3, 3]}
    assert made.notes == ()


def test_deleted_images_leave_a_gap_that_added_ones_fill() -> None:
    before = rows('a', 20) + rows('b', 20)
    splits = where(before, plan(before))
    old = history({r.image_id: splits[r.path] for r in before})
    left = [r for r in before if not (r.label == 'a' and splits[r.path] == 'test')]
    found = left + [ReadableImage(f'n{i}', f'n{i}', None, 'a') for i in range(3)]
    after = where(found, plan_splits(found, Split(folds=0), False, old))
    assert all(after[r.path] == splits[r.path] for r in left)
    assert [after[f'n{i}'] for i in range(3)] == ['test'] * 3


def test_new_images_join_the_group_that_was_there() -> None:
    """Also where all images that the group had are gone."""
    named = [ReadableImage(f'p{i}', f'p{i}', 'patient', 'a') for i in range(5)]
    found = rows('a', 40) + rows('b', 40) + named
    old = history({'gone': 'val'}, {'patient': 'val'})
    after = where(found, plan_splits(found, Split(folds=0), False, old))
    assert {after[r.path] for r in named} == {'val'}


@pytest.mark.parametrize(
    ('earlier', 'split', 'moved'),
    [
        ({'x': 'test', 'y': 'test', 'z': 'train'}, 'test', 'z.png (train to test)'),
        ({'x': 'test', 'y': 'train'}, 'train', 'x.png (test to train)'),
        ({'x': 'test', 'y': 'val'}, 'val', 'x.png (test to val)'),
    ],
)
def test_groups_that_a_new_image_ties_come_together(
    earlier: dict[str, str], split: str, moved: str
) -> None:
    """The fewer move; of equally many, those that are farther from training."""
    found = rows('a', 40) + rows('b', 40)
    found += [ReadableImage(f'{name}.png', name, f'g{name}', 'a') for name in earlier]
    found += [ReadableImage(f'new{name}.png', 'new', f'g{name}', 'a') for name in earlier]
    groups = {f'g{name}': s for name, s in earlier.items()}
    made = plan_splits(found, Split(folds=0), False, history(earlier, groups))
    after = where(found, made)
    assert {after[f'{name}.png'] for name in earlier} == {split}
    assert after['newx.png'] == split
    (note,) = [note for note in made.notes if 'left the split' in note]
    assert note.startswith('1 images left') and note.endswith(moved)


def test_given_splits_win_over_earlier_ones() -> None:
    found = [r for c in 'ab' for s in FRACTIONS for r in rows(c, 5, s)]
    old = history({r.image_id: 'train' for r in found})
    made = plan_splits(found, Split(folds=0), False, old)
    assert where(found, made) == {r.path: r.split for r in found}
    assert made.notes == ()


def test_what_was_taken_out_of_train_for_missing_splits_stays_there() -> None:
    found = [r for c in 'ab' for s in ('train', 'test') for r in rows(c, 40, s)]
    splits = where(found, plan(found))
    old = history({r.image_id: splits[r.path] for r in found})
    more = found + [
        ReadableImage(f'{c}{i}', f'{c}{i}', None, c, 'train') for c in 'ab' for i in range(40)
    ]
    after = where(more, plan_splits(more, Split(folds=0), False, old))
    assert all(after[path] == split for path, split in splits.items())
    assert set(splits.values()) == set(FRACTIONS)


def test_large_groups_that_miss_a_quota_are_noted() -> None:
    found = rows('b', 100) + [
        ReadableImage(f'{g}-{i}', f'{g}-{i}', g, 'a') for g in 'xyz' for i in range(30)
    ]
    made = plan(found)
    assert per_class(found, made) == {'a': [30, 30, 30], 'b': [70, 15, 15]}
    (note,) = made.notes
    assert 'groups stay whole: a has 30 in train instead of 63' in note
    kept = plan_splits(found, Split(folds=0), False, history({'x-0': 'test'}))
    assert any('and images keep the split of an earlier ingestion' in n for n in kept.notes)


def test_too_few_groups_leave_a_split_empty_and_that_is_noted() -> None:
    found = [ReadableImage(f'{i}', f'{i}', 'pq'[i % 2], 'ab'[i // 2 % 2]) for i in range(40)]
    made = plan(found)
    assert set(where(found, made).values()) == {'train', 'val'}
    assert 'test has no image of a, b: too few groups' in made.notes


def test_an_image_without_a_group_is_one_of_its_own() -> None:
    found = [
        ReadableImage(f'{i}', f'id{i}', f'p{i % 7}' if i % 3 else '', 'ab'[i % 2])
        for i in range(210)
    ]
    found.append(ReadableImage('0', 'id0', None, 'a'))  # listed twice, once without the column
    splits = where(found, plan(found))
    for group in range(7):
        assert len({splits[r.path] for r in found if r.group == f'p{group}'}) == 1
    assert {splits[r.path] for r in found if not r.group} == set(FRACTIONS)


def test_unlabelled_images_are_shared_out_too() -> None:
    found = [ReadableImage(f'{i}', f'{i}') for i in range(20)]
    assert per_class(found, plan(found)) == {'': [14, 3, 3]}


def test_groups_that_are_tied_have_the_lowest_as_their_cluster() -> None:
    images = [ReadableImage(f'{i}.png', f'id{i}', None, 'ab'[i % 2], None) for i in range(20)]
    ties = [('id3', 'id1'), ('id5', 'id3')]
    made = plan_splits(images, Split(folds=0), False, ties=ties)
    assert [made.cluster_of(f'id{i}') for i in (1, 3, 5, 7)] == ['id1', 'id1', 'id1', 'id7']
    assert dict(made.clusters) == {'id3': 'id1', 'id5': 'id1'}
    assert len({where(images, made)[f'{i}.png'] for i in (1, 3, 5)}) == 1


def test_a_copy_stays_in_the_split_farthest_from_training() -> None:
    others = [image for s in FRACTIONS for name in 'ab' for image in rows(name, 3, s)]
    names = {'a1.png': 'test', 'a2.png': 'val', 'a3.png': 'train'}
    copies = [ReadableImage(path, 'same', None, 'a', split) for path, split in names.items()]
    made = plan([*others, *copies])
    assert {r.path for r in made.rejected} == {'a2.png', 'a3.png'}
    two = [ReadableImage(f'{s}.png', 'same', None, 'a', s) for s in ('val', 'train')]
    assert {r.path for r in plan([*others, *two]).rejected} == {'train.png'}


def test_rows_that_lack_something_can_be_sorted() -> None:
    bare = ReadableImage('a.png', 'id')
    assert _order(bare) == ('a.png', 'id', '', '', '', '')
    whole = ReadableImage('a.png', 'id', 'g', 'daisy', 'val', fold='3')
    assert _order(whole) == ('a.png', 'id', 'g', 'daisy', 'val', '3')


def test_errors_name_what_they_are_about() -> None:
    with pytest.raises(DataError, match='^No readable image is left'):
        plan([])
    both = [
        ReadableImage(f'{name}{i}.png', f'id{i}', None, name, None) for name in 'ab' for i in (1, 2)
    ]
    with pytest.raises(DataError, match='^All images of a, b occur with other labels'):
        plan([*both, *rows('c', 4)])
    with pytest.raises(DataError, match='^What could be read'):
        plan(rows('a', 4))
    split = [ReadableImage(f'{i}.png', f'id{i}', 'g', 'a', s) for i, s in enumerate(FRACTIONS)]
    with pytest.raises(DataError, match=r'\(0.png, 1.png, 2.png \.\.\.\)'):
        plan([*split, ReadableImage('9.png', 'id9', 'g', 'a', 'val'), *rows('b', 4, 'train')])


def test_images_without_a_label_share_quotas_of_their_own() -> None:
    images = (
        [ReadableImage(f'u{i}.png', f'u{i}') for i in range(20)] + rows('a', 20) + rows('b', 20)
    )
    made = plan(images)
    splits = where(images, made)
    counts = collections.Counter(splits[f'u{i}.png'] for i in range(20))
    assert counts == {'train': 14, 'val': 3, 'test': 3}
