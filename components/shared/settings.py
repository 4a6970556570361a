"""The base of every typed group of settings, so that all are strict in the same way."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import pydantic

_SECONDS = {'s': 1, 'm': 60, 'h': 3600}


def _no_truth_value(value: object) -> object:
    """Pydantic would take YAML's yes and no as 1.0 and 0.0."""
    if isinstance(value, bool):
        raise ValueError('must be a number')
    return value


def _as_duration(value: object) -> object:
    """Refuses what is no time, such as 5 without a unit or 5min."""
    found = (
        re.fullmatch(r'(\d{1,6}(?:\.\d{1,3})?)([smh])', value) if isinstance(value, str) else None
    )
    if not found or not float(found[1]):
        raise ValueError('must be a time above 0 with its unit: for example 90s, 5m or 1.5h')
    return value


def seconds_of(duration: str) -> float:
    """Seconds of a `Duration`: '5m' is 300.0."""
    return float(duration[:-1]) * _SECONDS[duration[-1]]


_Number = Annotated[float, pydantic.BeforeValidator(_no_truth_value)]
Share = Annotated[_Number, pydantic.Field(ge=0.0, le=1.0)]
Rate = Annotated[_Number, pydantic.Field(gt=0.0, le=1.0)]
Fraction = Annotated[_Number, pydantic.Field(ge=0.0, lt=1.0)]
Positive = Annotated[_Number, pydantic.Field(gt=0.0, allow_inf_nan=False)]
Duration = Annotated[str, pydantic.BeforeValidator(_as_duration)]
# What is done about a finding: the run ends, a line says it, or nothing does.
Action = Literal['stop', 'warn', 'ignore']
Count = Annotated[int, pydantic.BeforeValidator(_no_truth_value), pydantic.Field(ge=1)]


class Section(pydantic.BaseModel):
    """Settings that refuse unknown keys and cannot be changed after they were checked."""

    model_config = pydantic.ConfigDict(extra='forbid', frozen=True, validate_default=True)
