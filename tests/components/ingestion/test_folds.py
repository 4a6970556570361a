"""Folds: how many, what stays together, what stays where it was, and what cannot be done."""

from __future__ import annotations

import collections
import random
import time
from collections.abc import Iterable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.ingestion.params import Split
from thawline.components.ingestion.readable_image import ReadableImage
from thawline.components.ingestion.split_history import SplitHistory
from thawline.components.ingestion.split_plan import SplitPlan, plan_splits
from thawline.components.shared.errors import DataError


def images(label: str, count: int, size: int = 1) -> list[ReadableImage]:
    """Of a class; groups of so many, none where it is one."""
    return [
        ReadableImage(
            f'{label}/{i}.png', f'{label}{i}', f'{label}-{i // size}' if size > 1 else None, label
        )
        for i in range(count)
    ]


def plan(
    rows: Iterable[ReadableImage],
    folds: int | str = 5,
    history: SplitHistory | None = None,
    ties: Sequence[tuple[str, str]] = (),
    **split: float,
) -> SplitPlan:
    return plan_splits(rows, Split(folds=folds, **split), False, history, ties)


def where(rows: Iterable[ReadableImage], made: SplitPlan) -> dict[str, str]:
    """The part of each image."""
    return {row.image_id: made.part_of(row.key) for row in rows}


def counts(rows: Iterable[ReadableImage], made: SplitPlan) -> dict[str, list[int]]:
    """Images of each class in each fold."""
    there = collections.Counter((row.label, made.fold_of(row.key)) for row in rows)
    return {
        str(label): [there[label, fold] for fold in range(made.partition.folds)]
        for label in sorted({str(row.label) for row in rows})
    }


def history_of(rows: Iterable[ReadableImage], made: SplitPlan) -> SplitHistory:
    parts = where(rows, made)
    return SplitHistory(parts, {row.key: parts[row.image_id] for row in rows})


def test_fold_0_is_val_and_the_others_are_train() -> None:
    rows = images('a', 20) + images('b', 30)
    made = plan(rows)
    assert counts(rows, made) == {'a': [4] * 5, 'b': [6] * 5}
    assert made.partition.splits == ['train', 'val'] and made.notes == ()
    assert {(made.fold_of(r.key), made.split_of(r.key)) for r in rows} == {
        (0, 'val'), *((fold, 'train') for fold in range(1, 5))
    }  # fmt: skip


def test_a_share_of_test_is_in_no_fold() -> None:
    rows = images('a', 20) + images('b', 40)
    made = plan(rows, test=0.25)
    assert counts(rows, made) == {'a': [3] * 5, 'b': [6] * 5}
    test = [row for row in rows if made.fold_of(row.key) is None]
    assert collections.Counter(row.label for row in test) == {'a': 5, 'b': 10}
    assert {made.split_of(row.key) for row in test} == {'test'}
    assert made.partition.splits == ['train', 'val', 'test']


@pytest.mark.parametrize(
    ('count', 'folds', 'split'),
    [
        (1999, 5, {}),
        (2000, 0, {}),
        (2000, 5, {'test': 0.0}),  # no plain split is without test
        (1999, 0, {'train': 0.6, 'val': 0.2, 'test': 0.2}),
        (1499, 5, {'train': 0.6, 'val': 0.2, 'test': 0.2}),
        (300, 5, {}),
        (299, 10, {}),
        (20, 10, {}),
        (19, 5, {}),  # 9 of a class
    ],
)
def test_auto_takes_folds_where_val_would_be_small(
    count: int, folds: int, split: dict[str, float]
) -> None:
    rows = images('a', count // 2) + images('b', count - count // 2)
    rows += [ReadableImage(f'{i}.png', f'u{i}') for i in range(500)]  # unlabelled ones count not
    made = plan(rows, 'auto', **split)
    assert made.partition.folds == folds
    assert made.partition.splits == (
        ['train', 'val'] if folds and not split.get('test') else ['train', 'val', 'test']
    )


def test_folds_by_number_are_made_whatever_the_size() -> None:
    assert plan(images('a', 3000) + images('b', 3000), 3).partition.folds == 3


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_groups_and_near_duplicates_stay_whole(seed: int) -> None:
    rows = images('a', 60, 6) + images('b', 60)
    ties = [(rows[60 + i].key, rows[61 + i].key) for i in range(0, 40, 2)]
    made = plan(rows, ties=ties, seed=seed)
    for group in {row.key for row in rows[:60]}:
        assert len({made.part_of(row.key) for row in rows if row.key == group}) == 1
    assert all(made.part_of(one) == made.part_of(other) for one, other in ties)
    assert counts(rows, made) == {'a': [12] * 5, 'b': [12] * 5}


def test_fewer_groups_than_folds() -> None:
    rows = images('a', 40, 10) + images('b', 10)
    rows = [ReadableImage(r.path, r.image_id, f'g{i % 4}', r.label) for i, r in enumerate(rows)]
    made = plan(rows)
    assert made.partition.folds == 4
    assert any('4 folds instead of 5' in note for note in made.notes)
    assert len(set(where(rows, made).values())) == 4


@pytest.mark.parametrize(('groups', 'test'), [(1, 0.0), (2, 0.0), (3, 0.2)])
def test_too_few_groups_for_folds(groups: int, test: float) -> None:
    rows = [
        ReadableImage(f'{i}.png', f'i{i}', f'g{i % groups}', 'ab'[i // groups % 2])
        for i in range(24)
    ]
    with pytest.raises(DataError, match=rf'images are of {groups}.*other groups.*folds: 0'):
        plan(rows, test=test)


def test_a_class_in_one_group_is_in_a_fold_of_train() -> None:
    for seed in range(20):
        rows = [*images('a', 30), *images('b', 8, 8)]
        made = plan(rows, seed=seed)
        assert {made.split_of(r.key) for r in rows if r.label == 'b'} == {'train'}
        assert sorted(counts(rows, made)['b']) == [0, 0, 0, 0, 8]
        (note,) = (note for note in made.notes if 'one fold only' in note)
        assert note.endswith(': b')


def test_one_image_a_class() -> None:
    rows = [*images('a', 30), *(row for c in 'bcdef' for row in images(c, 1))]
    made = plan(rows)
    assert all(made.split_of(row.key) == 'train' for row in rows if row.label != 'a')
    assert len({made.fold_of(row.key) for row in rows if row.label != 'a'}) == 4
    assert any('one fold only' in note and 'b, c, d, e, f' in note for note in made.notes)
    with pytest.raises(DataError, match='1 of 5 folds would have no labelled image'):
        plan([row for c in 'bcdefgh' for row in images(c, 1)])  # fold 0 can take none of them


def test_no_fold_is_left_empty_by_the_quotas_of_small_classes() -> None:
    """Two classes may each leave out the same fold."""
    rows = images('a', 5) + images('b', 4)
    for seed in range(20):
        made = plan(rows, ties=[(rows[0].key, rows[1].key)], seed=seed)
        assert {made.fold_of(row.key) for row in rows} == set(range(5))
        for label in 'ab':
            assert 'train' in {made.split_of(row.key) for row in rows if row.label == label}
        assert made.part_of(rows[0].key) == made.part_of(rows[1].key)


def test_small_classes_are_shared_out_over_all_folds() -> None:
    """Else the first folds would have all of them, and the last ones nothing."""
    rows = [row for number in range(25) for row in images(f'c{number}', 2)]
    made = plan(rows)
    sizes = collections.Counter(made.fold_of(row.key) for row in rows)
    assert max(sizes.values()) - min(sizes.values()) <= 1 and len(sizes) == 5
    assert any('not in all of the 5 folds' in note and 'c0 (2)' in note for note in made.notes)


def test_folds_and_given_splits_exclude_each_other() -> None:
    rows = [
        ReadableImage(f'{c}{i}.png', f'{c}{i}', None, c, split)
        for c in 'ab' for i, split in enumerate(['train'] * 8 + ['val'] * 4)
    ]  # fmt: skip
    with pytest.raises(DataError, match=r'data.split.folds is 5, .*splits: train, val'):
        plan(rows)
    made = plan(rows, 'auto')
    assert made.partition.folds == 0 and made.partition.splits == ['train', 'val', 'test']
    with pytest.raises(DataError, match=r'data.split.test is 0, .*splits: train, val'):
        plan(rows, 'auto', test=0.0)


def test_images_keep_their_folds_when_others_are_added_or_removed() -> None:
    rows = images('a', 53) + images('b', 31)
    first = plan(rows)
    before, known = where(rows, first), history_of(rows, first)
    for more in (1, 40):
        grown = rows + [ReadableImage(f'n{i}', f'n{i}', None, 'ab'[i % 2]) for i in range(more)]
        made = plan(grown, history=known)
        after = where(grown, made)
        assert all(after[image] == part for image, part in before.items())
        for of_class in counts(grown, made).values():
            assert max(of_class) - min(of_class) <= 1
    fewer = rows[::3]
    after = where(fewer, plan(fewer, history=known))
    assert all(before[image] == part for image, part in after.items())


def test_without_history_few_images_move() -> None:
    rows = images('a', 200) + images('b', 200)
    before = where(rows, plan(rows))
    after = where(rows, plan(rows + images('n', 0) + [ReadableImage('x', 'x', None, 'a')]))
    assert sum(before[image] != after[image] for image in before) <= 10


def test_folds_are_joined_where_their_number_is_halved() -> None:
    """A set that grows gets 5 folds in place of 10; no image leaves those that it was with."""
    rows = images('a', 145) + images('b', 145)
    first = plan(rows, 'auto')
    grown = rows + [ReadableImage(f'n{i}', f'n{i}', None, 'ab'[i % 2]) for i in range(20)]
    made = plan(grown, 'auto', history=history_of(rows, first))
    assert (first.partition.folds, made.partition.folds) == (10, 5)
    before, after = where(rows, first), where(grown, made)
    assert all(int(after[image]) == int(part) % 5 for image, part in before.items())
    assert '10 folds of the last ingestion are joined to 5' in ' '.join(made.notes)
    assert counts(grown, made) == {'a': [31] * 5, 'b': [31] * 5}


@pytest.mark.parametrize('earlier', [3, 0])
def test_another_number_of_folds_splits_anew(earlier: int) -> None:
    rows = images('a', 50) + images('b', 50)
    known = history_of(rows, plan(rows, earlier))
    made = plan(rows, history=known)
    assert where(rows, made) == where(rows, plan(rows))
    assert any('split anew' in note and '5 folds' in note for note in made.notes)
    back = plan(rows, earlier, history_of(rows, made))
    assert where(rows, back) == where(rows, plan(rows, earlier))


def test_an_image_that_ties_two_folds_moves_the_fewer() -> None:
    rows = images('a', 30, 3) + images('b', 30)
    first = plan(rows)
    one = rows[0]
    other = next(row for row in rows[30:] if first.part_of(row.key) != first.part_of(one.key))
    made = plan(rows, history=history_of(rows, first), ties=[(one.key, other.key)])
    assert made.part_of(other.key) == made.part_of(one.key) == first.part_of(one.key)
    (note,) = (note for note in made.notes if 'left the fold' in note)
    assert other.path in note and f'fold {first.part_of(other.key)} to fold' in note


def test_a_class_that_is_left_in_fold_0_alone_reaches_train() -> None:
    rows = images('a', 30) + images('b', 10)
    first = plan(rows)
    left = [row for row in rows if row.label == 'a' or first.fold_of(row.key) == 0]
    made = plan(left, history=history_of(rows, first))
    assert 'train' in {made.split_of(row.key) for row in left if row.label == 'b'}


SIZES = st.dictionaries(st.sampled_from('abcdef'), st.integers(1, 40), min_size=2)


@given(SIZES, st.integers(3, 8), st.integers(0, 50), st.sampled_from([0.0, 0.2]))
def test_each_class_is_shared_out_evenly(
    sizes: Mapping[str, int], folds: int, seed: int, test: float
) -> None:
    rows = [row for label, size in sizes.items() for row in images(label, size)]
    if sum(sizes.values()) < 40:
        rows += images('z', 40)
    made = plan(rows, folds, seed=seed, test=test)
    assert made.partition.folds == folds
    for label, of_class in counts(rows, made).items():
        assert max(of_class) - min(of_class) <= 1, label
        assert sum(of_class[1:]), label  # train has it


@given(
    st.lists(st.tuples(st.sampled_from('abc'), st.integers(1, 12)), min_size=15, max_size=60),
    st.integers(0, 50),
    st.integers(1, 5),
)
def test_groups_of_any_size_stay_whole_and_where_they_were(
    groups: list[tuple[str, int]], seed: int, more: int
) -> None:
    rows = [
        ReadableImage(f'{g}/{i}', f'{g}/{i}', f'g{g}', label)
        for g, (label, size) in enumerate(groups) for i in range(size)
    ] + images('a', 10) + images('b', 10)  # fmt: skip
    first = plan(rows, seed=seed)
    for group in {row.key for row in rows}:
        assert len({first.part_of(row.key) for row in rows if row.key == group}) == 1
    grown = rows + [ReadableImage(f'n{i}', f'n{i}', None, 'a') for i in range(more)]
    before = where(rows, first)
    after = where(grown, plan(grown, seed=seed, history=history_of(rows, first)))
    assert all(after[image] == part for image, part in before.items())


def test_many_folds_of_mixed_groups_are_shared_out_evenly_and_soon() -> None:
    rng = random.Random(0)
    rows = [
        ReadableImage(f'{g}/{i}', f'{g}/{i}', f'g{g}', rng.choice('abcde'))
        for g in range(400) for i in range(rng.randint(1, 12))
    ]  # fmt: skip
    began = time.process_time()
    made = plan(rows, 20)
    assert time.process_time() - began < 30  # some 5 s
    for label, of_class in counts(rows, made).items():
        mean = sum(of_class) / 20
        assert max(abs(count - mean) for count in of_class) <= 3, label
