"""The report as one HTML file that needs neither a network nor a server.

The words, the tables and the charts work without script; the confusion matrix, sorting and
filtering, tabs and the dialog need it.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from thawline.components.report import (
    audited_data,
    charts,
    first_screen,
    formatting,
    html_page,
    ranking,
    tables,
    threshold_section,
    training_section,
)
from thawline.components.report.content import (
    Interval,
    Picture,
    ReportContent,
    SplitResults,
)
from thawline.components.shared.splits import VAL

_SCRIPTS = ('base.js', 'matrix.js', 'tables.js', 'pictures.js', 'threshold.js')
_CONFUSIONS = 100
# Where each card of the first screen goes on.
_MORE = {
    'weaknesses': ('classes', 'All classes and slices'),
    'progress': ('cards', 'All changes'),
    'labels': ('gallery-labels', 'The suspicious images'),
}
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
    two = content.two_classes
    return {
        **({'threshold': threshold_section.payload(two)} if two else {}),
        'classes': list(content.classes),
        'matrix': MATRIX,
        'splits': {
            name: {'title': formatting.split_title(name, results.folds), 'cells': _cells(results)}
            for name, results in content.splits.items()
        },
        'pictures': {
            key: picture_values(picture, key in in_galleries)
            for key, picture in content.pictures.items()
        },
    }


@dataclasses.dataclass(frozen=True)
class HeadlineNumber:
    """An accuracy of the first screen; `threshold` is what the gate holds against it."""

    title: str
    interval: Interval
    threshold: float | None


def _headline_numbers(content: ReportContent, opening: str) -> list[HeadlineNumber]:
    """The accuracies; first that of the split on which the report opens."""
    order = sorted(content.splits, key=lambda name: name != opening)
    return [
        HeadlineNumber(
            f'{formatting.split_title(name, content.splits[name].folds)} accuracy',
            content.splits[name].accuracy,
            content.threshold if name == VAL else None,
        )
        for name in order
    ]


def render(content: ReportContent) -> str:
    """The page as HTML, to be written as UTF-8.

    Raises:
        ValueError: a score or a similarity is not finite.
    """
    accuracies = [results.accuracy for results in content.splits.values()]
    opening = first_screen.opening_split(content.verdict, tuple(content.splits))
    return from_template(
        html_page.ASSETS / 'page.html',
        content=content,
        opening=opening,
        decision=first_screen.title(content),
        axis=min(ranking.axis_floor(accuracies), int(content.threshold * 10 - 0.5) / 10),
        sentences=first_screen.sentences(content),
        more=_MORE,
        tables=tables,
        threshold_section=threshold_section,
        training_section=training_section,
        audited_data=audited_data,
        galleries=[
            (gallery, [content.pictures[key] for key in gallery.pictures])
            for gallery in content.galleries
        ],
        numbers=_headline_numbers(content, opening),
        payload=payload(content),
        confusions=_CONFUSIONS,
    )
