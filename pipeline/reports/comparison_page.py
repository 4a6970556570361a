"""The comparison of two runs as one HTML file, in the look of the report."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from thawline.components.report import page
from thawline.components.report.content import Picture
from thawline.pipeline.reports import comparison_wording
from thawline.pipeline.reports.comparison import Comparison, Flip

_TEMPLATE = pathlib.Path(__file__).parent / 'assets' / 'comparison.html'

# Of each direction; thumbnails of so many keep the file below 15 MB.
MOST = 200


@dataclasses.dataclass(frozen=True)
class FlipGallery:
    """Pictures of one direction; `count` is of all such images."""

    title: str
    explanation: str
    count: int
    pictures: tuple[Picture, ...]


def shown(flips: Sequence[Flip]) -> list[Flip]:
    """Those that the page has room for, in both directions the first `MOST`."""
    return [one for gained in (True, False) for one in _towards(flips, gained)[:MOST]]


def _towards(flips: Sequence[Flip], gained: bool) -> list[Flip]:
    return [one for one in flips if one.gained == gained]


def _galleries(flips: Sequence[Flip], thumbnails: Mapping[str, str]) -> list[FlipGallery]:
    found = []
    for gained, title, explanation in (
        (True, 'Now right', 'A answered wrongly what B answers right.'),
        (False, 'Now wrong', 'A answered right what B answers wrongly.'),
    ):
        mine = _towards(flips, gained)
        pictures = tuple(_picture(one, thumbnails.get(one.id, '')) for one in mine[:MOST])
        if len(pictures) < len(mine):
            explanation += f' {len(pictures)} of {len(mine):,} are shown.'
        found.append(FlipGallery(title, explanation, len(mine), pictures))
    return found


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
        note=comparison_wording.note(flip),
    )


def render(told: Comparison, thumbnails: Mapping[str, str]) -> str:
    """The page as HTML, to be written as UTF-8.

    Args:
        told: the comparison.
        thumbnails: data URIs by the id of the image; those that are missing are shown as such.
    """
    galleries = _galleries(told.flips, thumbnails)
    pictures: dict[str, Any] = {}
    for gallery in galleries:
        for picture in gallery.pictures:
            values = dataclasses.asdict(picture)
            # The page shows it already.
            del values['id'], values['thumbnail'], values['overlay']
            pictures[picture.id] = values
    return page.from_template(
        _TEMPLATE,
        told=told,
        words=comparison_wording,
        galleries=galleries,
        payload={'classes': [], 'matrix': page.MATRIX, 'parts': {}, 'pictures': pictures},
    )
