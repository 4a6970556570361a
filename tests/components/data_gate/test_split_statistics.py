"""Numbers of all splits, from what TFDV really writes."""

from __future__ import annotations

import pytest

from tests.components.data_gate import made_statistics
from thawline.components.data_gate.split_statistics import SplitStatistics, Statistics

# A name that needs no escape in TFDV's text form but breaks naive parsing.
COUNTS = {'cat': 30, 'grüne "Katze"': 25, '🐈': 12}


def of_counts(counts: dict[str, int]) -> Statistics:
    return made_statistics.of_rows(
        {'label': [name for name, n in counts.items() for _ in range(n)]}
    )


def test_values_by_split() -> None:
    data = SplitStatistics({'train': of_counts(COUNTS), 'val': of_counts({'cat': 2, 'owl': 1})})
    assert data.count_values_of_split('label', 'train') == COUNTS
    assert data.count_values('label') == {
        'cat': {'train': 30, 'val': 2},
        'grüne "Katze"': {'train': 25},
        '🐈': {'train': 12},
        'owl': {'val': 1},
    }
    assert (data.images, data.splits, data.count_present('label')) == (70, ('train', 'val'), 70)
    assert data.are_all_counted('label')


@pytest.mark.parametrize('values', [150, 1_000])
def test_values_of_many_classes(values: int) -> None:
    """TFDV lists 20 top values; the rank histogram must hold them all."""
    many = {f'class {i:03}': 1 + i % 3 for i in range(values)}
    data = SplitStatistics({'train': of_counts(many)})
    assert data.count_values_of_split('label', 'train') == many
    assert data.are_all_counted('label')


def test_more_values_than_are_counted() -> None:
    data = SplitStatistics({'train': of_counts({f'{i}': 1 for i in range(1_500)})})
    assert not data.are_all_counted('label')
    assert data.count_distinct('label') == pytest.approx(1_500, rel=0.05)


def test_absent_features_and_images() -> None:
    data = SplitStatistics({'train': made_statistics.of_rows({'n': [3, 1]}), 'val': Statistics()})
    assert data.count_values('label') == {} and data.count_present('label') == 0
    assert data.splits == ('train',) and data.find_range('n') == (1, 3)
