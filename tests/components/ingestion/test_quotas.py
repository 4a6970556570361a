"""How many images of a class each split should have."""

from __future__ import annotations

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.ingestion.quotas import quotas

FRACTIONS = {'train': 0.7, 'val': 0.15, 'test': 0.15}
SHARES = st.tuples(st.integers(1, 50), st.integers(1, 50), st.integers(1, 50)).map(
    lambda parts: {
        split: part / sum(parts) for split, part in zip(FRACTIONS, parts, strict=True)
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ('images', 'numbers'),
    [
        (1, [1, 0, 0]), (2, [1, 1, 0]), (3, [1, 1, 1]), (4, [2, 1, 1]), (7, [5, 1, 1]),
        (10, [7, 2, 1]), (20, [14, 3, 3]), (26, [18, 4, 4]), (100, [70, 15, 15]),
    ],
)  # fmt: skip
def test_known_quotas(images: int, numbers: list[int]) -> None:
    assert list(quotas({'a': images}, FRACTIONS)['a'].values()) == numbers


@given(st.dictionaries(st.sampled_from('abcdefgh'), st.integers(1, 500)), SHARES)
def test_quotas_add_up_and_are_within_an_image(
    sizes: dict[str, int], fractions: dict[str, float]
) -> None:
    result = quotas(sizes, fractions)
    assert result.keys() == sizes.keys()
    for label, by_split in result.items():
        assert sum(by_split.values()) == sizes[label]
        shares = {split: sizes[label] * fraction for split, fraction in fractions.items()}
        if min(shares.values()) >= 1:
            assert all(abs(by_split[s] - share) < 2 / 3 + 1e-6 for s, share in shares.items())
        elif sizes[label] >= 3:
            assert all(by_split.values())


def test_halves_of_many_small_classes_are_shared_out() -> None:
    totals: collections.Counter[str] = collections.Counter()
    for by_split in quotas({f'c{i}': 10 for i in range(10)}, FRACTIONS).values():
        totals.update(by_split)
    assert totals == {'train': 70, 'val': 15, 'test': 15}


def test_tiny_shares_get_their_image_from_the_largest() -> None:
    fractions = {'train': 0.98, 'val': 0.01, 'test': 0.01}
    assert quotas({'a': 3, 'b': 50}, fractions) == {
        'a': {'train': 1, 'val': 1, 'test': 1},
        'b': {'train': 48, 'val': 1, 'test': 1},
    }


def test_no_class_has_no_quotas() -> None:
    assert quotas({}, FRACTIONS) == {}
