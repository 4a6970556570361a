"""Settings of the gate."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import pydantic

from thawline.components.shared.settings import Positive, Section, Share

Baseline = Literal['latest_blessed', 'production']
_Level = Annotated[Share, pydantic.Field(gt=0.0, le=0.5)]


def _reject_percentage(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool) and 1 < value <= 100:
        raise ValueError(f'looks like a percentage; write it as a share: {value / 100:g}')
    return value


_Accuracy = Annotated[Share, pydantic.BeforeValidator(_reject_percentage)]


def _reject_level(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError('it is no level any more; write refuse to refuse as before, or caution')
    return value


_TestContradiction = Annotated[
    Literal['caution', 'refuse'], pydantic.BeforeValidator(_reject_level)
]


class SliceFloor(Section):
    """The accuracy that a slice of val must reach."""

    column: Annotated[str, pydantic.Field(min_length=1)] = pydantic.Field(
        description='A column to slice on, such as meta_site or brightness_bucket.'
    )
    value: str | None = pydantic.Field(
        default=None, description='One value of the column; default: each with enough images.'
    )
    accuracy: _Accuracy = pydantic.Field(description='Lowest accuracy allowed, as measured.')


class Gate(Section):
    """What a model must reach to be blessed."""

    val_accuracy: _Accuracy = pydantic.Field(
        default=0.80, description='The threshold for val accuracy.'
    )
    strictness: Literal['bound', 'point'] = pydantic.Field(
        default='bound',
        description='bound: the lower end of the 95 % interval must reach val_accuracy; '
        'point: the measured accuracy must reach it, and significance tests decide nothing.',
    )
    unit: Literal['image', 'group'] = pydantic.Field(
        default='image',
        description='What an answer is about. group: all images of a group (and what shares a '
        'near-duplicate with it) get one answer together, and accuracy and recall are those of '
        'groups; each group must have one label.',
    )
    joined_by: Literal['mean', 'any', 'majority'] = pydantic.Field(
        default='mean',
        description='How the answers of a group become one, with unit group. mean: of the '
        'probabilities; majority: the most frequent answer; any: positive if one image is.',
    )
    positive: str | None = pydantic.Field(
        default=None, description='Name of the positive class, for joined_by any.'
    )
    looks: Literal['report', 'strict'] = pydantic.Field(
        default='report',
        description='Models judged by the same val images before. report: the verdict says what '
        'they do to its claim; strict: the bound pays for them, so that all together have at most '
        '2.5 %.',
    )
    class_floor: Annotated[Share, pydantic.Field(gt=0.0, lt=1.0)] | None = pydantic.Field(
        default=0.5,
        description='Recall that no class may be shown to miss: a class fails where even the upper '
        'bound of its recall on val is below it (or below val_accuracy, if that is lower).',
    )
    worst_class_recall: _Accuracy | None = pydantic.Field(
        default=None, description='Lowest recall allowed for any class on val, as measured.'
    )
    max_calibration_error: _Accuracy | None = pydantic.Field(
        default=None, description='Highest expected calibration error allowed on val.'
    )
    slices: tuple[SliceFloor, ...] = pydantic.Field(
        default=(), description='Slices of val that must reach an accuracy of their own.'
    )
    baseline: Baseline = pydantic.Field(
        default='latest_blessed',
        description='What a model is compared with. latest_blessed: the latest earlier model that '
        'was blessed and passed the serving check; production: the model that was promoted to '
        'production last.',
    )
    max_drop: _Accuracy | None = pydantic.Field(
        default=None,
        description='Largest drop allowed in accuracy against the baseline, as measured on '
        'images that neither model has seen.',
    )
    paired_test: _Level | None = pydantic.Field(
        default=0.05,
        description="Significance level of McNemar's exact test (two-sided), which refuses a model "
        'worse than the baseline on images that neither has seen; null: only a caution.',
    )
    test_contradiction: _TestContradiction | None = pydantic.Field(
        default='caution',
        description="What follows where Fisher's exact test finds at 5 % that test accuracy is "
        'lower than val accuracy. caution: a caution with its p value; refuse: the model is not '
        'blessed, as 1 of 20 good models by chance; null: no test.',
    )
    max_latency_ms: Positive | None = pydantic.Field(
        default=None, description='Highest latency allowed for one image, in ms (95th percentile).'
    )
    max_size_mb: Positive | None = pydantic.Field(
        default=None, description='Largest size allowed for the exported model, in 10^6 bytes.'
    )

    @pydantic.model_validator(mode='after')
    def _check_joining(self) -> Self:
        if self.unit == 'group' and self.joined_by == 'any' and self.positive is None:
            raise ValueError('joined_by any needs positive, the name of a class')
        return self
