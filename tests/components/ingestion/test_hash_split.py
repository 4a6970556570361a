"""Splits: pure, order-free, leak-free, and every class everywhere."""

from __future__ import annotations

import collections
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.ingestion.hash_split import assign, check_fractions, plan_repairs, position
from thawline.components.shared.errors import ConfigError

FRACTIONS = {'train': 0.7, 'val': 0.15, 'test': 0.15}
SETS = st.lists(
    st.tuples(st.integers(0, 60).map('g{}'.format), st.sampled_from('abcd')), max_size=120
)
SEEDS = st.integers(0, 2**31)


def splits(images: list[tuple[str, str]], seed: int) -> dict[str, str]:
    moved = plan_repairs(images, seed, FRACTIONS)
    return {g: moved.get(g) or assign(g, seed, FRACTIONS) for g, _ in images}


def test_known_positions() -> None:
    """Splits must never change between releases: a moved group leaks old training images."""
    assert position('a', 0) == pytest.approx(0x9DF3C6 / 2**24, abs=1e-6)  # sha256('0:a')
    assert [assign(g, 0, FRACTIONS) for g in 'abcdefgh'] == [
        next(s for s, end in (('train', 0.7), ('val', 0.85), ('test', 1)) if position(g, 0) < end)
        for g in 'abcdefgh'
    ]


def test_fractions_hold() -> None:
    counts = collections.Counter(assign(str(i), 7, FRACTIONS) for i in range(20_000))
    for name, fraction in FRACTIONS.items():
        assert counts[name] / 20_000 == pytest.approx(fraction, abs=0.01)


@given(SETS, SEEDS, st.randoms())
def test_order_does_not_matter(
    images: list[tuple[str, str]], seed: int, shuffler: random.Random
) -> None:
    shuffled = images.copy()
    shuffler.shuffle(shuffled)
    assert plan_repairs(images, seed, FRACTIONS) == plan_repairs(shuffled, seed, FRACTIONS)


@given(SETS, SETS, SEEDS)
def test_added_images_move_only_repaired_groups(
    images: list[tuple[str, str]], more: list[tuple[str, str]], seed: int
) -> None:
    before, after = splits(images, seed), splits(images + more, seed)
    repaired = set(plan_repairs(images, seed, FRACTIONS)) | set(
        plan_repairs(images + more, seed, FRACTIONS)
    )
    assert all(before[g] == after[g] for g in before if g not in repaired)


@given(
    st.lists(st.lists(st.integers(1, 50), min_size=3, max_size=12), min_size=1, max_size=5), SEEDS
)
def test_every_class_with_three_groups_is_everywhere(sizes: list[list[int]], seed: int) -> None:
    images = [
        (f'c{c}-{g}', f'c{c}') for c, groups in enumerate(sizes)
        for g, size in enumerate(groups) for _ in range(size)
    ]  # fmt: skip
    where = splits(images, seed)
    for label in {c for _, c in images}:
        assert {where[g] for g, c in images if c == label} == set(FRACTIONS)


@given(st.integers(20, 200), SEEDS)
def test_classes_get_at_least_half_their_share(number: int, seed: int) -> None:
    images = [(f'{label}{i}', label) for label in 'ab' for i in range(number)]
    where = splits(images, seed)
    for label in 'ab':
        counts = collections.Counter(where[g] for g, c in images if c == label)
        for name, fraction in FRACTIONS.items():
            assert counts[name] >= round(number * fraction / 2)


@given(SETS, SEEDS)
def test_repairs_really_move_and_train_has_every_class(
    images: list[tuple[str, str]], seed: int
) -> None:
    moved = plan_repairs(images, seed, FRACTIONS)
    assert set(moved) <= {g for g, _ in images}
    assert all(assign(g, seed, FRACTIONS) != s for g, s in moved.items())
    pure = [(f'{c}-{g}', c) for g, c in images]
    where = splits(pure, seed)
    for label in {c for _, c in pure}:
        assert 'train' in {where[g] for g, c in pure if c == label}


def test_large_sets_need_no_repair_and_small_ones_few() -> None:
    images = [(str(i), 'ab'[i % 2]) for i in range(4000)]
    assert plan_repairs(images, 0, FRACTIONS) == {}
    few = [(f'x{i}', 'c') for i in range(3)]
    assert len(plan_repairs(images + few, 0, FRACTIONS)) <= 2


def test_fixed_groups_stay() -> None:
    images = [(f'g{i}', 'a') for i in range(10)]
    fixed = {f'g{i}': 'train' for i in range(8)}
    moved = plan_repairs(images, 0, FRACTIONS, fixed)
    assert not set(moved) & set(fixed)


def test_moved_groups_lie_nearest() -> None:
    # All in train by hash; the ones that leave are those closest to the end of train's interval.
    groups = [g for g in (f'n{i}' for i in range(300)) if position(g, 1) < 0.7][:40]
    moved = plan_repairs([(g, 'a') for g in groups], 1, FRACTIONS)
    stay = max(position(g, 1) for g in groups if g not in moved)
    assert moved
    assert all(position(g, 1) > stay for g in moved)


@pytest.mark.parametrize(
    'fractions',
    [
        {'train': 1.5, 'val': -0.25, 'test': -0.25},
        {'train': 0.8, 'val': 0.2},
        {'train': 70, 'val': 15, 'test': 15},
        {'train': 0.8, 'val': 0.2, 'test': 0.2},
        {'train': 1.0, 'val': 0.0, 'test': 0.0},
        {'train': 0.8, 'val': 0.1, 'eval': 0.1},
    ],
)
def test_bad_fractions(fractions: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match='Received'):
        check_fractions(fractions)


def test_good_fractions() -> None:
    check_fractions(FRACTIONS)
    check_fractions({'train': 0.1, 'val': 0.2, 'test': 0.7})


def named(split: str, count: int, order: int = 1) -> list[str]:
    """Groups that the hash puts into a split, by their places, upwards or downwards."""
    groups = [f'g{i}' for i in range(400) if assign(f'g{i}', 0, FRACTIONS) == split]
    return sorted(groups, key=lambda g: order * position(g, 0))[:count]


def test_groups_count_by_their_images() -> None:
    """Half of the 6 images that val should have of 40 are there in one group of them."""
    groups = [*named('train', 28), *named('test', 6)]
    images = [(g, 'a') for g in groups] + [(named('val', 1)[0], 'a')] * 6
    assert plan_repairs(images, 0, FRACTIONS) == {}
    assert len(plan_repairs(images[:-5], 0, FRACTIONS)) == 2


@pytest.mark.parametrize('source', ['train', 'test'])
def test_the_nearest_group_moves_from_either_side(source: str) -> None:
    """Val lies between the two: what is nearest to it is at train's end and at test's start."""
    other = 'test' if source == 'train' else 'train'
    near, far = named(source, 40, -1 if source == 'train' else 1), named(other, 2)
    images = [(g, 'a') for g in near] + [(g, 'b') for g in (*far, *named('val', 9))]
    images += [(g, 'b') for g in named(source, 9)] + [(far[0], 'a')] * 12
    moved = plan_repairs(images, 0, FRACTIONS)
    assert {g for g, split in moved.items() if split == 'val'} <= set(near[:4])
    assert near[0] in moved
