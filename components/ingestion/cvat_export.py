"""Tags and boxes in an export of CVAT, "CVAT for images 1.1".

https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat and .../xml_format
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from thawline.components.ingestion import boxes
from thawline.components.shared.errors import DataError


class Shape(NamedTuple):
    """A box or polygon: its label, and points x, y, x, y, ... in pixels; None: damaged."""

    label: str
    points: list[float] | None


class CvatImage(NamedTuple):
    """An image of the task.

    Attributes:
        name: of its file.
        subset: '' for none.
        labels: its different tags, sorted.
        shapes: boxes and polygons on it.
        size: width and height, pixels; None: not written.
    """

    name: str
    subset: str
    labels: list[str]
    shapes: list[Shape]
    size: tuple[float, float] | None


def read(content: bytes, name: str) -> Iterator[CvatImage]:
    """The images of an export.

    Raises:
        DataError: no such XML.
    """
    if b'<!DOCTYPE' in content or b'<!ENTITY' in content:
        raise DataError(f'{name} declares entities, which no export of CVAT does.')
    try:
        root = ET.fromstring(content)
    except ET.ParseError as error:
        raise DataError(f'{name} is not XML: {error}. Export the task again.') from error
    if root.tag != 'annotations' or root.find('track') is not None:
        raise DataError(f'{name} is no export "CVAT for images 1.1": it begins with <{root.tag}>.')
    for element in root.iter('image'):
        labels = sorted({tag.get('label', '') for tag in element.iter('tag')})
        shapes = [_shape(shape) for shape in element if shape.tag in ('box', 'polygon')]
        sides = _numbers(element.get(side, '') for side in ('width', 'height'))
        size = (sides[0], sides[1]) if sides and min(sides) > 0 else None
        yield CvatImage(
            element.get('name', ''), element.get('subset', ''), labels, shapes, size
        )  # fmt: skip


def _shape(element: ET.Element) -> Shape:
    label = element.get('label', '')
    if element.tag == 'polygon':
        points = _numbers(element.get('points', '').replace(';', ',').split(','))
        is_whole = points and len(points) >= 6 and len(points) % 2 == 0
        return Shape(label, points if is_whole else None)
    corners = _numbers(element.get(name, '') for name in ('xtl', 'ytl', 'xbr', 'ybr'))
    degrees = _numbers([element.get('rotation', '0')])
    if corners is None or degrees is None:
        return Shape(label, None)
    left, top, right, bottom = corners
    points = [left, top, right, top, right, bottom, left, bottom]
    centre = (left + right) / 2, (top + bottom) / 2
    return Shape(label, boxes.rotated(points, centre, degrees[0]) if degrees[0] else points)


def _numbers(texts: Iterable[str]) -> list[float] | None:
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None
