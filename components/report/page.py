"""The report as one HTML file that asks the network for nothing and needs no server.

Jinja2 escapes whatever the content says; what the script works with is JSON in a block that no
browser executes. A content security policy allows the file's own style and script by their hashes,
and pictures that are in the file: a class name that were markup could still run nothing.

The words, the tables and the charts are there without script; the confusion matrix, sorting and
filtering, tabs and the dialog need it.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
from typing import Any

import jinja2
from markupsafe import Markup

from thawline.components.report import charts, formatting, ranking
from thawline.components.report.content import ReportContent, SplitResults
from thawline.components.shared.content_security import source_hash

_ASSETS = pathlib.Path(__file__).parent / 'assets'
_SCRIPTS = ('base.js', 'matrix.js', 'tables.js', 'pictures.js')
_CONFUSIONS = 100
_DECISION = re.compile(r'(?:not )?blessed\s*[:.,;]?\s*', re.IGNORECASE)
# Up to so many classes the whole matrix is drawn; of more, those that are confused most.
MATRIX = 20


@functools.cache
def _environment(folder: pathlib.Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _ASSETS]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies['json.dumps_kwargs'] = {'allow_nan': False, 'separators': (',', ':')}
    environment.globals.update(charts=charts, formatting=formatting, ranking=ranking)
    return environment


@functools.cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding='utf-8')


def from_template(template: pathlib.Path, **values: Any) -> str:
    """A page with the report's style and scripts, which it allows by their hashes alone.

    Args:
        template: its file; it may include and extend those of the report.
        values: what it is filled with.

    Raises:
        ValueError: a number in `payload` is not finite.
    """
    style = _asset('page.css')
    script = '\n'.join(map(_asset, _SCRIPTS))
    text = (
        _environment(template.parent)
        .get_template(template.name)
        .render(
            **values,
            # What the hashes are of must reach the file unchanged.
            style=Markup(style),
            script=Markup(script),
            style_hash=source_hash(style),
            script_hash=source_hash(script),
        )
    )
    # Paths that are no UTF-8 carry surrogates, which no file can hold.
    return text.encode('utf-8', 'replace').decode('utf-8')


def _reason(headline: str) -> str:
    """The headline without the decision itself, which stands above it in large letters."""
    rest = _DECISION.sub('', headline, count=1) if _DECISION.match(headline) else headline
    return rest[:1].upper() + rest[1:]


def _cells(part: SplitResults) -> list[list[Any]]:
    """Label, answer, count and picture ids of each cell."""
    return [[cell.label, cell.answer, cell.count, list(cell.pictures)] for cell in part.confusion]


def payload(content: ReportContent) -> dict[str, Any]:
    """What the script works with: plain values, every picture once.

    The thumbnails of pictures in a gallery are left out: the page shows them already.
    """
    shown = {key for gallery in content.galleries for key in gallery.pictures}
    pictures = {}
    for key, picture in content.pictures.items():
        values = dataclasses.asdict(picture)
        del values['id']
        values['neighbours'] = [[one.picture, one.similarity] for one in picture.neighbours]
        if key in shown:
            del values['thumbnail'], values['overlay']
        pictures[key] = values
    return {
        'classes': list(content.classes),
        'matrix': MATRIX,
        'parts': {
            name: {'title': formatting.split_title(name), 'cells': _cells(part)}
            for name, part in content.parts.items()
        },
        'pictures': pictures,
    }


def render(content: ReportContent) -> str:
    """The page as HTML, to be written as UTF-8.

    Raises:
        ValueError: a score or a similarity is not finite.
    """
    return from_template(
        _ASSETS / 'page.html',
        content=content,
        galleries=[
            (one, [content.pictures[key] for key in one.pictures]) for one in content.galleries
        ],
        reason=_reason(content.verdict.headline),
        payload=payload(content),
        confusions=_CONFUSIONS,
    )
