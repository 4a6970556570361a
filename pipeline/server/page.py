"""The page for trying a model out: one file that asks nobody but its own server.

It has the look of the report, and its care: names are text and never markup, and a content security
policy allows the page's own style and script by their hashes.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

import thawline
from thawline.components.shared.content_security import source_hash
from thawline.components.shared.percentages import between, percent

_ASSETS = pathlib.Path(__file__).parent / 'assets'
_REPORT_ASSETS = thawline.ROOT / 'thawline' / 'components' / 'report' / 'assets'
# Classes that the introduction names; further ones are counted.
_NAMED = 6


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What the page tells of the model.

    Attributes:
        name: of the model.
        version: in service when the page was asked for.
        classes: names in the order of the outputs.
        resize: mode of `components.transform.preprocessing.resize`.
        abstain_below: score below which an answer is uncertain, or None.
        lineage: of the model's card; empty where it does not say.
        max_bytes: of one picture.
        address: of the server, as the browser knows it, with a slash at its end.
    """

    name: str
    version: int
    classes: Sequence[str]
    resize: str
    abstain_below: float | None
    lineage: Mapping[str, Any]
    max_bytes: int
    address: str


@dataclasses.dataclass(frozen=True)
class Page:
    """The page and the policy that belongs into its header."""

    html: str
    policy: str


class _Parts(NamedTuple):
    """Both templates, and what stands in them; the report's style and first script come first."""

    page: jinja2.Template
    waiting: jinja2.Template
    style: str
    script: str
    policy: str


@functools.cache
def _parts() -> _Parts:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_ASSETS), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style, script = (
        '\n'.join(
            (folder / name).read_text('utf-8')
            for folder, name in ((_REPORT_ASSETS, shared), (_ASSETS, own))
        )
        for shared, own in (('page.css', 'try.css'), ('base.js', 'try.js'))
    )
    policy = (
        f"default-src 'none'; img-src blob: data:; connect-src 'self'; "
        f'style-src {source_hash(style)}; script-src {source_hash(script)}; '
        f"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    page, waiting = map(environment.get_template, ('try.html', 'waiting.html'))
    return _Parts(page, waiting, style, script, policy)


def accuracy_sentence(lineage: Mapping[str, Any]) -> str:
    """How often the model was right, in a sentence; empty where its card does not say."""
    said = []
    for split, words in (('val', 'validation'), ('test', 'test')):
        found = lineage.get('accuracy', {}).get(split, {})
        if found.get('images') and found.get('share') is not None:
            said.append(
                f'{percent(found["share"])} of {found["images"]:,} {words} images '
                f'({between(found["lower"], found["upper"])})'
            )
    if not said:
        return ''
    run = f', measured in run {lineage["run"]}' if lineage.get('run') else ''
    return f'It was right on {" and ".join(said)}{run}.'


def loading_page(name: str) -> Page:
    """What people see who come before the model is loaded; to be sent with a Refresh header."""
    parts = _parts()
    html = parts.waiting.render(name=name, style=Markup(parts.style))
    return Page(html, parts.policy)


def model_page(shown: ModelInfo) -> Page:
    """The page of a model."""
    parts = _parts()
    html = parts.page.render(
        shown=shown,
        named=shown.classes[:_NAMED],
        record=accuracy_sentence(shown.lineage),
        more=max(0, len(shown.classes) - _NAMED),
        payload={
            'resize': shown.resize,
            'abstain': shown.abstain_below,
            'maxBytes': shown.max_bytes,
        },
        # What the hashes are of must reach the browser unchanged.
        style=Markup(parts.style),
        script=Markup(parts.script),
    )
    return Page(html.encode('utf-8', 'replace').decode('utf-8'), parts.policy)
