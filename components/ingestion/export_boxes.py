"""Boxes in exports of CVAT and Label Studio, where images have those and no class of their own."""

from __future__ import annotations

from typing import NamedTuple

from thawline.components.ingestion import (
    cvat_export,
    folder_layout,
    label_exports,
    label_studio_export,
    storage,
)
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.box_listing import Annotation, BoxListing
from thawline.components.ingestion.boxes import Box
from thawline.components.ingestion.manifest_files import ManifestFiles
from thawline.components.ingestion.source_types import Listing, SourceSpec


class _Picture(NamedTuple):
    """A picture as an export has it: path as written, split, boxes."""

    path: str
    split: str | None
    annotations: list[Annotation]


def read(spec: SourceSpec, kind: str) -> Listing | None:
    """Lists the boxes of an export; None where it has no boxes, or classes of whole images.

    Args:
        spec: of the source.
        kind: its format.

    Raises:
        DataError: the export is missing or damaged, or none of its boxes is usable.
    """
    pictures_of = {'cvat': _of_cvat, 'label-studio': _of_label_studio}.get(kind)
    if pictures_of is None:
        return None
    path = label_exports.locate(storage.absolute(spec.source), kind)
    content = storage.read_required(path)
    listing = BoxListing(spec.source)
    listing.add_file(content)
    pictures = pictures_of(content, path, listing)
    if not pictures:
        return None
    files = ManifestFiles(storage.absolute(spec.root) if spec.root else storage.parent(path))
    for picture in pictures:
        file = files.find_first(label_exports.places(kind, picture.path))
        if not isinstance(file, str):
            listing.add_picture(file, picture.split, picture.annotations)
            continue
        for annotation in picture.annotations:
            listing.reject(f'{picture.path}#{annotation.key}', annotation, file, '')
    return listing.listing()


def _of_cvat(content: bytes, path: str, _: BoxListing) -> list[_Picture]:
    images = list(cvat_export.read(content, path))
    if any(image.labels for image in images) or not any(image.shapes for image in images):
        return []
    return [
        _Picture(
            label_exports.path_of_cvat(image),
            folder_layout.split_word(image.subset),
            [
                _annotation(
                    f'shape{n}', f'image {image.name}, shape {n}', [s.label], s.points, image.size
                )
                for n, s in enumerate(image.shapes, 1)
            ],
        )
        for image in images
    ]


def _of_label_studio(content: bytes, path: str, listing: BoxListing) -> list[_Picture]:
    tasks = label_exports.label_studio_tasks(content, path)
    tasks = [task for task in tasks if label_exports.picture_of(task)]
    if any(answer.labels for task in tasks for answer in label_studio_export.answers(task)):
        return []
    regions = [label_studio_export.regions(task) for task in tasks]
    if not any(regions):
        return []
    if shared := sum(len(of_task) > 1 for of_task in regions):
        listing.remark(
            f'{shared:,} pictures have boxes by several people; those of the first count'
        )
    pictures = []
    for number, (task, of_task) in enumerate(zip(tasks, regions, strict=True), 1):
        annotations = [
            _annotation(r.key, f'task {number}, region {r.key}', r.labels, r.points, r.size)
            for r in (of_task[0] if of_task else ())
        ]
        pictures.append(_Picture(str(label_exports.picture_of(task)), None, annotations))
    return pictures


def _annotation(
    key: str,
    where: str,
    labels: list[str],
    points: list[float] | None,
    size: tuple[float, float] | None,
) -> Annotation:
    if len(labels) != 1 or not labels[0]:
        problem = (reasons.MALFORMED_ROW, f'it has {len(labels)} labels: {", ".join(labels)}')
        return Annotation(key, where, problem=problem)
    if points is None:
        problem = (reasons.MALFORMED_ROW, 'its corners are no numbers')
        return Annotation(key, where, labels[0], problem=problem)
    return Annotation(key, where, labels[0], Box.around(points, size))
