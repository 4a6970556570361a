"""CVAT: images with tags, in the format "CVAT for images 1.1".

https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat and .../xml_format
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence

from thawline.components.ingestion import cvat_export
from thawline.components.shared.errors import DataError
from thawline.pipeline.labels.exchange import (
    LEAVE_OUT,
    Answer,
    QueuedImage,
    image_id_in,
    label_of,
)


def file_name(position: int, image: QueuedImage) -> str:
    """CVAT sorts by name: the position keeps the order of the queue."""
    return f'{position:05d}_{image.image_id}{image.suffix}'


def label_constructor(classes: Sequence[str]) -> str:
    """The JSON for the raw view of a task's labels."""
    return json.dumps([{'name': name, 'type': 'tag'} for name in (*classes, LEAVE_OUT)], indent=1)


def annotations_xml(queue: Sequence[QueuedImage]) -> str:
    """Present labels as tags, to upload to the task as "CVAT 1.1"."""
    root = ET.Element('annotations')
    ET.SubElement(root, 'version').text = '1.1'
    for position, image in enumerate(queue):
        attributes = {'id': str(position), 'name': file_name(position, image)}
        element = ET.SubElement(root, 'image', attributes)
        if image.label:
            ET.SubElement(element, 'tag', {'label': image.label, 'source': 'file'})
    ET.indent(root)
    return ET.tostring(root, 'unicode', xml_declaration=True)


def read(content: bytes, name: str) -> Iterator[Answer]:
    """The tags of an export.

    Raises:
        DataError: no such XML, an image without an id in its name, or with two tags.
    """
    for image in cvat_export.read(content, name):
        written, labels = image.name, image.labels
        image_id = image_id_in(written)
        if not image_id:
            raise DataError(
                f'{name}, image {written!r} has no id in its name; only images that thawline '
                'labels export wrote can be brought back.'
            )
        if len(labels) > 1:
            raise DataError(f'{name}, image {written!r} has {len(labels)} tags: {labels}')
        for label in labels:
            yield Answer(image_id, label_of(label), '', '', f'{name}, image {written}', False)
