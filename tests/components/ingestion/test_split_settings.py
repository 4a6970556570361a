"""The settings of splits and folds."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from thawline.components.ingestion.params import Split


@pytest.mark.parametrize(
    'values',
    [
        {'train': 1.5, 'val': -0.25, 'test': -0.25},
        {'train': 0.8, 'val': 0.2},
        {'train': 70, 'val': 15, 'test': 15},
        {'train': 0.8, 'val': 0.2, 'test': 0.2},
        {'train': 1.0, 'val': 0.0, 'test': 0.0},
        {'train': 0.8, 'val': 0.1, 'eval': 0.1},
        {'train': 0.7, 'val': 0.3, 'test': 0.0},
        {'train': 0.85, 'val': 0.0},
        {'train': 0.8, 'val': 0.2, 'folds': 'auto'},
        {'folds': 5, 'test': 1.0},
        {'folds': 5, 'test': -0.1},
    ],
)
def test_wrong_shares(values: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        Split(**{'folds': 0, **values})


@pytest.mark.parametrize('folds', [1, 2, 21, -1, True, False, 5.0, '5', None, 'some'])
def test_wrong_folds(folds: object) -> None:
    with pytest.raises(pydantic.ValidationError, match='auto, 0 for one split.* from 3 to 20'):
        Split(folds=folds)


@pytest.mark.parametrize('folds', ['auto', 0, 3, 20])
def test_right_folds(folds: Any) -> None:
    assert Split(folds=folds).folds == folds


def test_test_has_a_default_of_its_own_in_each_mode() -> None:
    unset = Split(folds='auto')
    assert unset.fractions == {'train': 0.7, 'val': 0.15, 'test': 0.15}
    assert unset.test_with_folds == 0.0
    set_ = Split(folds='auto', train=0.6, val=0.2, test=0.2)
    assert set_.fractions['test'] == set_.test_with_folds == 0.2


def test_a_test_share_beside_auto_says_what_else_is_needed() -> None:
    with pytest.raises(pydantic.ValidationError, match='is 1.05.* With folds: auto .* folds: 5'):
        Split(folds='auto', test=0.2)
    with pytest.raises(pydantic.ValidationError) as error:
        Split(folds=0, test=0.2)
    assert 'auto' not in error.value.errors()[0]['msg']


def test_folds_alone_allow_no_test() -> None:
    with pytest.raises(pydantic.ValidationError, match='test is 0, which needs folds'):
        Split(folds=0, train=0.8, val=0.2, test=0.0)
    assert not Split(folds='auto', test=0.0).can_be_plain
    assert not Split(folds=5, test=0.0).can_be_plain


def test_shares_of_train_and_val_are_of_no_account_with_folds() -> None:
    assert Split(folds=5, test=0.3).test_with_folds == 0.3
