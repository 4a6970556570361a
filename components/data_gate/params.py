"""Settings of the data gate."""

from __future__ import annotations

from typing import Any

import pydantic

from thawline.components.shared.settings import Action, Count, Section, Share

_REPLACED = 'anomalies'


class DataPolicy(Section):
    """Which problems of the data stop a run before training."""

    min_images_per_class: Count = pydantic.Field(
        default=10, description='Over all splits; a class with fewer images stops the run.'
    )
    max_quarantined: Share = pydantic.Field(
        default=0.05, description='Largest share of unusable files that `quarantined` accepts.'
    )
    quarantined: Action = pydantic.Field(
        default='stop', description='More unusable files than max_quarantined.'
    )
    new_class: Action = pydantic.Field(
        default='stop', description='A class that the reviewed schema does not list.'
    )
    vanished_class: Action = pydantic.Field(
        default='stop', description='A class of the schema without a single image.'
    )
    new_column: Action = pydantic.Field(
        default='stop', description='A metadata column that the schema does not have.'
    )
    vanished_column: Action = pydantic.Field(
        default='stop', description='A column of the schema that no image has.'
    )
    new_value: Action = pydantic.Field(
        default='stop', description='A value of a column that is not on its list.'
    )
    missing_values: Action = pydantic.Field(
        default='stop', description='A column with more empty cells than the schema allows.'
    )
    formats: Action = pydantic.Field(
        default='warn',
        description='Files of a format that the schema does not list, or shares of formats that '
        'have shifted by more than its threshold.',
    )
    sizes: Action = pydantic.Field(
        default='warn', description='Height or width outside the range of the schema.'
    )
    lighting: Action = pydantic.Field(
        default='warn', description='Brightness or contrast outside the range of the schema.'
    )
    other_rules: Action = pydantic.Field(
        default='stop', description='Any other rule of the schema that the data break.'
    )

    @pydantic.model_validator(mode='before')
    @classmethod
    def _name_the_new_keys(cls, values: Any) -> Any:
        if isinstance(values, dict) and _REPLACED in values:
            keys = 'new_class, vanished_class, new_column, vanished_column, new_value, '
            keys += 'missing_values, formats, sizes, lighting, other_rules'
            raise ValueError(
                f'{_REPLACED} was replaced by one key for each kind of difference from the schema: '
                f'{keys}; each is stop, warn or ignore'
            )
        return values
