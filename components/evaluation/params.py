"""What a model must reach to be blessed."""

from __future__ import annotations

from typing import Any, Literal

import pydantic

from components.section import Section, Share


class Gate(Section):
    """What a model must reach to be blessed."""

    val_accuracy: Share = pydantic.Field(default=0.80, description='The threshold of the gate.')
    strictness: Literal['bound', 'point'] = pydantic.Field(
        default='bound',
        description='bound: the lower end of the 95 % interval must reach val_accuracy; '
        'point: the measured accuracy itself.',
    )
    max_drop: Share = pydantic.Field(
        default=0.02, description='Most that val accuracy may fall below the blessed baseline.'
    )

    @pydantic.field_validator('val_accuracy', 'max_drop', mode='before')
    @classmethod
    def _not_percent(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool) and 1 < value <= 100:
            raise ValueError(f'looks like a percentage; write it as a share: {value / 100:g}')
        return value
