"""Buckets, columns to slice on, and the errors for unknown columns."""

from __future__ import annotations

import numpy as np
import pytest

from thawline.components.evaluation import slices
from thawline.components.evaluation.params import Evaluation
from thawline.components.shared.errors import ConfigError


@pytest.mark.parametrize(
    ('value', 'edges', 'name'),
    [
        (0.19, (0.2, 0.6), 'dark'),
        (0.2, (0.2, 0.6), 'medium'),
        (0.59, (0.2, 0.6), 'medium'),
        (0.6, (0.2, 0.6), 'bright'),
        # Nearly all of train has one value.
        (0.3, (0.3, 0.3), 'medium'),
        (0.2, (0.3, 0.3), 'dark'),
        (0.4, (0.3, 0.3), 'bright'),
    ],
)
def test_bucket(value: float, edges: tuple[float, float], name: str) -> None:
    assert slices.bucket('brightness', value, edges) == name


COLUMNS = {
    'brightness': np.array([0.1, 0.2, 0.3] * 400),
    'brightness_bucket': np.array(['dark', 'medium', 'bright'] * 400, object),
    'source_format': np.array(['PNG'] * 1200, object),
    'meta_site': np.array(['a', None] * 600, object),
    'meta_serial': np.array([f'{n}' for n in range(1000)] + [None] * 200, object),
}


def test_column_of_a_thousand_values_is_left_out() -> None:
    crossed = [('meta_site', 'brightness_bucket'), ('meta_site', 'meta_serial')]
    chosen, left_out = slices.choose_columns(COLUMNS, crossed, most_values=50)
    assert chosen == [
        ('brightness_bucket',), ('source_format',), ('meta_site',),
        ('meta_site', 'brightness_bucket'),
    ]  # fmt: skip
    assert left_out == [('meta_serial',), ('meta_site', 'meta_serial')]


def test_unknown_column_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"crossed\[0\].*'meta_sit'.*'meta_site'"):
        slices.choose_columns(COLUMNS, [('meta_sit', 'source_format')], 50)
    with pytest.raises(ConfigError, match='a, b'):
        slices.check_column('x', ('a', 'b'), 'gate.slices[0].column')


@pytest.mark.parametrize('value', [{'crossed': [['one']]}, {'smallest_slice': 0}, {'typo': 1}])
def test_settings_are_strict(value: dict) -> None:
    with pytest.raises(ValueError, match='validation error'):
        Evaluation.model_validate(value)
