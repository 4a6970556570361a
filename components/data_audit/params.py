"""Settings of the data audit."""

from __future__ import annotations

import pydantic

from thawline.components.shared.settings import Action, Section, Share


class AuditPolicy(Section):
    """What the data audit does about what it finds before training."""

    suspect_labels: Action = pydantic.Field(
        default='warn',
        description='Labels that answers out of fold contradict. stop: the run, where more than '
        'max_suspect_labels of train and val are suspect; ignore: say nothing.',
    )
    max_suspect_labels: Share = pydantic.Field(
        default=0.1,
        description='Largest share of suspect labels that does not stop; about 0.05 are suspect '
        'in clean sets, because some images are hard.',
    )
    duplicates: Action = pydantic.Field(
        default='warn', description='Pairs of images that look the same, in different splits.'
    )
    outliers: Action = pydantic.Field(
        default='warn',
        description='Images unlike those of any class; stop: where there are more than '
        'max_outliers.',
    )
    max_outliers: Share = pydantic.Field(
        default=0.05, description='Largest share of outliers that does not stop.'
    )
    class_overlap: Action = pydantic.Field(
        default='warn', description='Pairs of classes that the labels themselves confuse.'
    )
    imbalance: Action = pydantic.Field(
        default='warn', description='A small class that is recognised worse than the others.'
    )
    spurious_facts: Action = pydantic.Field(
        default='warn',
        description='Brightness, size, format or metadata that predict the class by themselves.',
    )
    forecast: bool = pydantic.Field(
        default=True, description='Whether to estimate what more images would bring.'
    )
    weak_base: Action = pydantic.Field(
        default='warn',
        description='A base that is not better than raw pixels or random weights; ignore: not '
        'measured, which saves a forward pass of 400 images.',
    )
    new_images: Action = pydantic.Field(
        default='warn',
        description='New images that differ from those of the last blessed model, by a classifier '
        'on their features; see thawline drift.',
    )
