"""What a model must reach to be blessed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from thawline.components.shared.settings import Positive, Section, Share

_Level = Annotated[Share, pydantic.Field(gt=0.0, le=0.5)]


def _not_percent(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool) and 1 < value <= 100:
        raise ValueError(f'looks like a percentage; write it as a share: {value / 100:g}')
    return value


_Accuracy = Annotated[Share, pydantic.BeforeValidator(_not_percent)]


class SliceFloor(Section):
    """What a group of val images must reach."""

    column: Annotated[str, pydantic.Field(min_length=1)] = pydantic.Field(
        description='A column that is sliced on, such as meta_site or brightness_bucket.'
    )
    value: str | None = pydantic.Field(
        default=None, description='One value of it; default: each that has enough images.'
    )
    accuracy: _Accuracy = pydantic.Field(description='The least measured accuracy.')


class Gate(Section):
    """What a model must reach to be blessed."""

    val_accuracy: _Accuracy = pydantic.Field(default=0.80, description='The threshold of the gate.')
    strictness: Literal['bound', 'point'] = pydantic.Field(
        default='bound',
        description='bound: the lower end of the 95 % interval must reach val_accuracy; '
        'point: the measured accuracy itself, and no test of chance refuses.',
    )
    worst_class_recall: _Accuracy | None = pydantic.Field(
        default=None, description='The least measured recall of each class on val.'
    )
    max_calibration_error: _Accuracy | None = pydantic.Field(
        default=None, description='The most that the expected calibration error on val may be.'
    )
    slices: tuple[SliceFloor, ...] = pydantic.Field(
        default=(), description='Groups of val images that must reach an accuracy of their own.'
    )
    max_drop: _Accuracy | None = pydantic.Field(
        default=None,
        description='Most that the measured val accuracy may fall below the blessed baseline.',
    )
    paired_test: _Level | None = pydantic.Field(
        default=0.05,
        description="Level at which McNemar's exact test calls a model worse than the baseline.",
    )
    test_contradiction: _Level | None = pydantic.Field(
        default=0.05,
        description='Level at which test accuracy is called lower than val accuracy.',
    )
    max_latency_ms: Positive | None = pydantic.Field(
        default=None, description='Most milliseconds for one image (95th percentile).'
    )
    max_size_mb: Positive | None = pydantic.Field(
        default=None, description='Most megabytes (10^6 bytes) of the exported model.'
    )
