"""The report as one HTML file that needs neither a network nor a server.

The words, the tables and the charts work without script; the confusion matrix, sorting and
filtering, tabs and the dialog need it.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Any

from thawline.components.report import charts, formatting, html_page, ranking, tables
from thawline.components.report.content import Picture, ReportContent, SplitResults

_SCRIPTS = ('base.js', 'matrix.js', 'tables.js', 'pictures.js')
_CONFUSIONS = 100
_DECISION = re.compile(r'(?:not )?blessed\s*[:.,;]?\s*', re.IGNORECASE)
# Up to so many classes the whole matrix is drawn; of more, those that are confused most.
MATRIX = 20


def from_template(template: pathlib.Path, **values: Any) -> str:
    """A page in the look of the report, with its scripts; see `html_page.render`."""
    page = html_page.render(
        template,
        [html_page.ASSETS / 'page.css'],
        [html_page.ASSETS / name for name in _SCRIPTS],
        charts=charts,
        formatting=formatting,
        ranking=ranking,
        **values,
    )
    return page.html


def _reason(headline: str) -> str:
    """The headline without the decision, which stands above it in large letters."""
    reason = _DECISION.sub('', headline, count=1) if _DECISION.match(headline) else headline
    return reason[:1].upper() + reason[1:]


def _cells(results: SplitResults) -> list[list[Any]]:
    """Label, answer, count and picture ids of each cell."""
    return [
        [cell.label, cell.answer, cell.count, list(cell.pictures)] for cell in results.confusion
    ]


def picture_values(picture: Picture, in_page: bool) -> dict[str, Any]:
    """A picture for the script; without its thumbnail where the page contains that already."""
    values = dataclasses.asdict(picture)
    del values['id']
    values['neighbours'] = [[other.picture, other.similarity] for other in picture.neighbours]
    if in_page:
        del values['thumbnail'], values['overlay']
    return values


def payload(content: ReportContent) -> dict[str, Any]:
    """The data for the script: plain values, every picture once."""
    in_galleries = {key for gallery in content.galleries for key in gallery.pictures}
    return {
        'classes': list(content.classes),
        'matrix': MATRIX,
        'splits': {
            name: {'title': formatting.split_title(name), 'cells': _cells(results)}
            for name, results in content.splits.items()
        },
        'pictures': {
            key: picture_values(picture, key in in_galleries)
            for key, picture in content.pictures.items()
        },
    }


def _headline_numbers(content: ReportContent) -> list[tuple[str, str, str]]:
    accuracies = [
        (
            f'{formatting.split_title(name)} accuracy',
            formatting.percent(results.accuracy.share),
            f'{formatting.interval_ends(results.accuracy)}, '
            f'{formatting.image_count(results.accuracy.n)}',
        )
        for name, results in content.splits.items()
    ]
    threshold = formatting.percent(content.threshold)
    return [*accuracies, ('Threshold', threshold, 'for validation accuracy')]


def render(content: ReportContent) -> str:
    """The page as HTML, to be written as UTF-8.

    Raises:
        ValueError: a score or a similarity is not finite.
    """
    return from_template(
        html_page.ASSETS / 'page.html',
        content=content,
        tables=tables,
        galleries=[
            (gallery, [content.pictures[key] for key in gallery.pictures])
            for gallery in content.galleries
        ],
        numbers=_headline_numbers(content),
        reason=_reason(content.verdict.headline),
        payload=payload(content),
        confusions=_CONFUSIONS,
    )
