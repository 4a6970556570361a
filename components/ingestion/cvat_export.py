"""Tags in an export of CVAT, "CVAT for images 1.1".

https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat and .../xml_format
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import NamedTuple

from thawline.components.shared.errors import DataError


class TaggedImage(NamedTuple):
    """An image of the task, with its subset ('' for none) and its different tags, sorted."""

    name: str
    subset: str
    labels: list[str]


def read(content: bytes, name: str) -> Iterator[TaggedImage]:
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
        yield TaggedImage(element.get('name', ''), element.get('subset', ''), labels)
