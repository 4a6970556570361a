"""Settings of the gate that are refused, and what is said of them."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from thawline.components.evaluation.gate.params import Gate


@pytest.mark.parametrize(
    'field', ['val_accuracy', 'worst_class_recall', 'max_calibration_error', 'max_drop']
)
def test_percentage_is_refused_with_the_share(field: str) -> None:
    with pytest.raises(pydantic.ValidationError, match='write it as a share: 0.8'):
        Gate.model_validate({field: 80})
    for value in (-0.1, 101, 'high', True):
        with pytest.raises(pydantic.ValidationError):
            Gate.model_validate({field: value})


@pytest.mark.parametrize(
    'settings',
    [
        {'strictness': 'lenient'},
        {'paired_test': 0.0},
        {'paired_test': 0.6},
        {'test_contradiction': True},
        {'unit': 'cluster'},
        {'unit': 'group', 'joined_by': 'any'},
        {'joined_by': 'max'},
        {'max_latency_ms': 0},
        {'max_latency_ms': True},
        {'max_size_mb': float('inf')},
        {'slices': [{'column': 'meta_site'}]},
        {'slices': [{'column': '', 'accuracy': 0.5}]},
        {'slices': [{'column': 'meta_site', 'accuracy': 50}]},
        {'slices': [{'column': 'meta_site', 'accuracy': 0.5, 'values': 'A'}]},
    ],
)
def test_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        Gate.model_validate(settings)


@pytest.mark.parametrize('level', [0.05, 0.5, 1])
def test_the_level_of_earlier_versions_says_what_to_write(level: float) -> None:
    with pytest.raises(pydantic.ValidationError, match='write refuse to refuse as before'):
        Gate.model_validate({'test_contradiction': level})


def test_rules_can_be_left_out() -> None:
    gate = Gate.model_validate({'max_drop': None, 'paired_test': None, 'test_contradiction': None})
    assert gate.max_drop is gate.paired_test is gate.test_contradiction is None
