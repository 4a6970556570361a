"""The base of every typed group of settings, so that all are strict in the same way."""

from __future__ import annotations

from typing import Annotated

import pydantic


def _no_truth_value(value: object) -> object:
    """Pydantic would take YAML's yes and no as 1.0 and 0.0."""
    if isinstance(value, bool):
        raise ValueError('must be a number')
    return value


_Number = Annotated[float, pydantic.BeforeValidator(_no_truth_value)]
Share = Annotated[_Number, pydantic.Field(ge=0.0, le=1.0)]
Rate = Annotated[_Number, pydantic.Field(gt=0.0, le=1.0)]
Fraction = Annotated[_Number, pydantic.Field(ge=0.0, lt=1.0)]
Count = Annotated[int, pydantic.Field(ge=1)]


class Section(pydantic.BaseModel):
    """Settings that refuse unknown keys and cannot be changed after they were checked."""

    model_config = pydantic.ConfigDict(extra='forbid', frozen=True, validate_default=True)
