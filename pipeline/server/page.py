"""The page to try a model: one file that sends requests to its own server alone.

It has the look of the report: its templates extend the report's, and its style and script begin
with the report's.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from thawline.components.report import html_page
from thawline.components.report.html_page import Page
from thawline.components.saved_model.card import ModelOrigin
from thawline.components.shared.percentages import between, percent
from thawline.components.shared.splits import TEST, VAL

_ASSETS = pathlib.Path(__file__).parent / 'assets'
# Classes that the introduction names; further ones are counted.
_NAMED = 6


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """The model on the page.

    Attributes:
        name: of the model.
        version: in service when the page was requested.
        classes: names in the order of the outputs.
        resize: mode of `components.transform.preprocessing.resize`.
        abstain_below: score below which a prediction is uncertain, or None.
        lineage: of the model's card.
        max_bytes: of one picture.
        address: of the server, as the browser knows it, with a slash at its end.
    """

    name: str
    version: int
    classes: Sequence[str]
    resize: str
    abstain_below: float | None
    lineage: ModelOrigin | None
    max_bytes: int
    address: str


def _render(template: str, **values: Any) -> Page:
    page = html_page.render(
        _ASSETS / template,
        [html_page.ASSETS / 'page.css', _ASSETS / 'try.css'],
        [html_page.ASSETS / 'base.js', _ASSETS / 'try.js'],
        "img-src blob: data:; connect-src 'self'",
        **values,
    )
    return dataclasses.replace(page, policy=f"{page.policy}; frame-ancestors 'none'")


def accuracy_sentence(lineage: ModelOrigin | None) -> str:
    """The model's accuracy in a sentence; empty where its card does not give one."""
    lineage = lineage or ModelOrigin()
    accuracies = []
    for split, title in ((VAL, 'validation'), (TEST, 'test')):
        accuracy = lineage.accuracy.get(split)
        if accuracy and accuracy.images and accuracy.share is not None:
            accuracies.append(
                f'{percent(accuracy.share)} on {accuracy.images:,} {title} images '
                f'({between(accuracy.lower, accuracy.upper)})'
            )
    if not accuracies:
        return ''
    run = f', measured in run {lineage.run}' if lineage.run else ''
    return f'Accuracy: {" and ".join(accuracies)}{run}.'


def loading_page(name: str) -> Page:
    """The page until a model is loaded; send it with a Refresh header."""
    return _render('waiting.html', name=name)


def model_page(model: ModelInfo) -> Page:
    """The page of a model."""
    return _render(
        'try.html',
        model=model,
        named=model.classes[:_NAMED],
        more=max(0, len(model.classes) - _NAMED),
        accuracy=accuracy_sentence(model.lineage),
        payload={
            'resize': model.resize,
            'abstain': model.abstain_below,
            'maxBytes': model.max_bytes,
        },
    )
