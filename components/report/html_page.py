"""Pages that are one HTML file: their templates, style, scripts and content security policy.

Jinja2 escapes names from the data. The policy allows the page's own style and script by their
hashes: a class name that were markup could still run nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from thawline.components.shared.content_security import source_hash

ASSETS = pathlib.Path(__file__).parent / 'assets'


@dataclasses.dataclass(frozen=True)
class Page:
    """A page and its content security policy."""

    html: str
    policy: str


@functools.cache
def _environment(folder: pathlib.Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, ASSETS]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies['json.dumps_kwargs'] = {'allow_nan': False, 'separators': (',', ':')}
    return environment


@functools.cache
def _join(files: Sequence[pathlib.Path]) -> str:
    return '\n'.join(file.read_text('utf-8') for file in files)


def render(
    template: pathlib.Path,
    styles: Sequence[pathlib.Path],
    scripts: Sequence[pathlib.Path],
    sources: str = 'img-src data:',
    **values: Any,
) -> Page:
    """Fills in a template.

    Args:
        template: its file; it may include and extend those in `ASSETS`.
        styles: style sheets, in order.
        scripts: in order.
        sources: what the page may load, as directives of the policy.
        values: for the template.

    Raises:
        ValueError: a number in `payload` is not finite.
    """
    style, script = _join(tuple(styles)), _join(tuple(scripts))
    policy = (
        f"default-src 'none'; {sources}; style-src {source_hash(style)}; "
        f"script-src {source_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    text = (
        _environment(template.parent)
        .get_template(template.name)
        # The browser hashes the style and the script as they are in the page.
        .render(**values, style=Markup(style), script=Markup(script), policy=policy)
    )
    # Paths that are not UTF-8 contain surrogates, which no file can hold.
    return Page(text.encode('utf-8', 'replace').decode('utf-8'), policy)
