"""A comparison of new images with earlier ones as one HTML file, in the look of the report."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping

from thawline.components.report import page
from thawline.components.report.content import Picture
from thawline.components.shared import percentages
from thawline.pipeline.drift import wording
from thawline.pipeline.drift.record import DifferentImage, DriftRecord

_TEMPLATE = pathlib.Path(__file__).parent / 'assets' / 'drift.html'

_Gallery = tuple[str, str, list[Picture]]


def render(record: DriftRecord, thumbnails: Mapping[str, str]) -> str:
    """The page as HTML, to be written as UTF-8.

    Args:
        record: of the comparison.
        thumbnails: data URIs by the id of the image; missing ones are shown as deleted.
    """
    galleries = list(_galleries(record, thumbnails))
    return page.from_template(
        _TEMPLATE,
        record=record,
        holds=record.holds,
        wording=wording,
        galleries=galleries,
        payload={
            'pictures': {
                picture.id: page.picture_values(picture, in_page=True)
                for _, _, pictures in galleries
                for picture in pictures
            }
        },
    )


def _galleries(record: DriftRecord, thumbnails: Mapping[str, str]) -> Iterator[_Gallery]:
    yield (
        'New and different',
        'New images that differ most from the earlier ones, with the class that is predicted.',
        [_picture(image, 'new', thumbnails, record) for image in record.different],
    )
    yield (
        'Only earlier',
        'Earlier images, with their labels, that differ most from the new ones.',
        [_picture(image, 'earlier', thumbnails, record) for image in record.missing],
    )


def _picture(
    image: DifferentImage, kind: str, thumbnails: Mapping[str, str], record: DriftRecord
) -> Picture:
    note = f'distance to the nearest class {image.distance:.2f}'
    if record.compared:
        share = image.likeness if kind == 'new' else 1 - image.likeness
        others = 'earlier' if kind == 'new' else 'new'
        note = f'farther off than {percentages.percent(share, 0)} of the {others} images; {note}'
    return Picture(
        # Of an image that is among both, each gallery has its own.
        id=f'{kind}-{image.image_id}',
        path=image.name,
        split=kind,
        label='' if kind == 'new' else image.label,
        answer=image.label if kind == 'new' else None,
        score=image.score,
        thumbnail=thumbnails.get(image.image_id, ''),
        overlay='',
        neighbours=(),
        note=note,
    )
