"""Types of settings: what a time is, and that nothing else passes for one."""

from __future__ import annotations

import math

import hypothesis
import hypothesis.strategies as st
import pydantic
import pytest

from thawline.components.shared.settings import (
    Count,
    Duration,
    Fraction,
    Rate,
    Section,
    Share,
    seconds_of,
)

DURATION = pydantic.TypeAdapter(Duration)
UNITS = {'s': 1, 'm': 60, 'h': 3600}


@hypothesis.given(st.integers(0, 10**9 - 1), st.integers(0, 3), st.sampled_from('smh'))
def test_number_and_unit_are_a_time(thousandths: int, places: int, unit: str) -> None:
    amount = f'{thousandths / 1000:.{places}f}'
    hypothesis.assume(float(amount) > 0 and float(amount) < 10**6)
    text = amount + unit
    assert DURATION.validate_python(text) == text
    assert seconds_of(text) == pytest.approx(float(amount) * UNITS[unit])


@pytest.mark.parametrize(
    ('text', 'seconds'), [('90s', 90.0), ('5m', 300.0), ('1.5h', 5400.0), ('0.05s', 0.05)]
)
def test_seconds_of(text: str, seconds: float) -> None:
    assert seconds_of(DURATION.validate_python(text)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    'value',
    [
        *(5, 5.0, True, None, '', 's', '5', '5min', '5 m', ' 5m', '5m\n', '-5m', '+5m', '5M', '0s'),
        *('0.000h', '1e3s', '.5h', '5.h', '1.2345s', '1234567s', 'infs', 'nans', '5m30s', ['5m']),
    ],
)
def test_anything_else_is_refused_and_told_what_is_right(value: object) -> None:
    with pytest.raises(pydantic.ValidationError, match='for example 90s, 5m or 1.5h') as raised:
        DURATION.validate_python(value)
    assert raised.value.errors()[0]['input'] == value


@hypothesis.given(st.text() | st.from_regex(r'\d+(\.\d+)?[smhd]'))
def test_whatever_passes_is_a_time_that_can_be_counted(text: str) -> None:
    try:
        accepted = DURATION.validate_python(text)
    except pydantic.ValidationError:
        return
    assert accepted == text
    assert 0 < seconds_of(accepted) < math.inf


class Numbers(Section):
    share: Share = 0.0
    rate: Rate = 1.0
    fraction: Fraction = 0.0
    count: Count = 1


@pytest.mark.parametrize(
    ('name', 'good', 'bad'),
    [
        ('share', (0, 0.5, 1), (-0.1, 1.1, math.nan)),
        ('rate', (1e-9, 1), (0, 1.1, math.nan)),
        ('fraction', (0, 0.99), (-0.1, 1, math.nan)),
        ('count', (1, 10**6), (0, -1, 1.5)),
    ],
)
def test_numbers_keep_to_their_range(
    name: str, good: tuple[float, ...], bad: tuple[float, ...]
) -> None:
    for value in good:
        assert getattr(Numbers.model_validate({name: value}), name) == value
    for value in bad:
        with pytest.raises(pydantic.ValidationError):
            Numbers.model_validate({name: value})


@pytest.mark.parametrize('name', ['share', 'rate', 'fraction'])
def test_yes_and_no_are_no_numbers(name: str) -> None:
    for value in (True, False):
        with pytest.raises(pydantic.ValidationError, match='must be a number'):
            Numbers.model_validate({name: value})


def test_section_refuses_unknown_keys_and_changes() -> None:
    with pytest.raises(pydantic.ValidationError, match='Extra inputs'):
        Numbers.model_validate({'shares': 0.5})
    with pytest.raises(pydantic.ValidationError, match='frozen'):
        Numbers().share = 0.5


@pytest.mark.parametrize('value', [True, False])
def test_truth_value_is_no_count(value: bool) -> None:
    """YAML's `epochs: yes` would else be one epoch."""
    with pytest.raises(pydantic.ValidationError, match='must be a number'):
        pydantic.TypeAdapter(Count).validate_python(value)
