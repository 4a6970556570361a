"""The comparison of two runs as one HTML file, in the look of the report."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from thawline.components.report import page
from thawline.components.report.content import Picture
from thawline.pipeline.reports import comparison_summary
from thawline.pipeline.reports.comparison import Comparison, Flip

_TEMPLATE = pathlib.Path(__file__).parent / 'assets' / 'comparison.html'

# Of each direction; with so many thumbnails the file stays below 15 MB.
MOST = 200


@dataclasses.dataclass(frozen=True)
class FlipGallery:
    """Pictures of one direction; `count` is of all such images."""

    title: str
    explanation: str
    count: int
    pictures: tuple[Picture, ...]


def shown_flips(flips: Sequence[Flip]) -> list[Flip]:
    """The flips on the page: the first `MOST` of each direction."""
    return [flip for gained in (True, False) for flip in _of_direction(flips, gained)[:MOST]]


def _of_direction(flips: Sequence[Flip], gained: bool) -> list[Flip]:
    return [flip for flip in flips if flip.gained == gained]


def _galleries(flips: Sequence[Flip], thumbnails: Mapping[str, str]) -> list[FlipGallery]:
    galleries = []
    for gained, title, explanation in (
        (True, 'Now correct', 'A is wrong, B is correct.'),
        (False, 'Now wrong', 'A is correct, B is wrong.'),
    ):
        all_flips = _of_direction(flips, gained)
        pictures = tuple(_picture(flip, thumbnails.get(flip.id, '')) for flip in all_flips[:MOST])
        if len(pictures) < len(all_flips):
            explanation += f' {len(pictures)} of {len(all_flips):,} are shown.'
        galleries.append(FlipGallery(title, explanation, len(all_flips), pictures))
    return galleries


def _picture(flip: Flip, thumbnail: str) -> Picture:
    return Picture(
        id=flip.id,
        path=flip.path,
        split=flip.split,
        label=flip.label,
        answer=flip.second_answer,
        score=flip.second_score,
        thumbnail=thumbnail,
        overlay='',
        neighbours=(),
        note=comparison_summary.note(flip),
    )


def render(comparison: Comparison, thumbnails: Mapping[str, str]) -> str:
    """The page as HTML, to be written as UTF-8.

    Args:
        comparison: of two runs.
        thumbnails: data URIs by the id of the image; missing ones are shown as deleted.
    """
    galleries = _galleries(comparison.flips, thumbnails)
    return page.from_template(
        _TEMPLATE,
        comparison=comparison,
        summary=comparison_summary,
        galleries=galleries,
        payload={
            'pictures': {
                picture.id: page.picture_values(picture, in_page=True)
                for gallery in galleries
                for picture in gallery.pictures
            }
        },
    )
