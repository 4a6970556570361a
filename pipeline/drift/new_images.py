"""Reads new images: their facts, and the bytes that the model and the base see."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from concurrent import futures

import numpy as np

from thawline.components.bulk_prediction import listing
from thawline.components.ingestion import (
    image_facts,
    image_identity,
    manifest,
    sources,
    storage,
)
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.bad_image import BadImage
from thawline.components.ingestion.decoding import ImageSettings
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.ingestion.source_types import SourceItem, SourceSpec, metadata_features
from thawline.components.shared import progress
from thawline.components.shared.errors import DataError
from thawline.pipeline.config.project import Project
from thawline.pipeline.prediction import encoded_images
from thawline.pipeline.recording import recorded_folder

_READERS = 8


@dataclasses.dataclass(frozen=True)
class NewImage:
    """An image as it would have been ingested.

    Attributes:
        name: of the file.
        image_id: of its bytes.
        group: images of one are not independent; its id where nothing is known.
        encoded: JPEG or PNG.
        facts: by the names of the features of an example.
    """

    name: str
    image_id: str
    group: str
    encoded: bytes
    facts: Mapping[str, str | float]


@dataclasses.dataclass(frozen=True)
class NewImages:
    """What was read; `listed` counts all images that are there, before some were drawn."""

    images: tuple[NewImage, ...]
    rejected: tuple[Rejected, ...]
    listed: int


def read(project: Project, source: str, settings: ImageSettings, most: int) -> NewImages:
    """Reads a folder of images, or those that a CSV names with their metadata.

    Args:
        project: whose columns and groups.
        source: the folder or CSV.
        settings: as those that the model learned from were prepared.
        most: images that are read; of more, these are drawn at random.

    Raises:
        DataError: there is no image, or none can be used.
    """
    items, rejected = _listed(project, source)
    drawn = items
    if len(items) > most:
        rows = np.random.default_rng(0).choice(len(items), most, replace=False)
        drawn = [items[row] for row in np.sort(rows)]
    finder = sources.group_finder(project.config.data.group_pattern)
    progress.start('new images read', len(drawn))

    def work(item: SourceItem) -> NewImage | Rejected:
        match = finder.search(item.relative_path) if finder and not item.group else None
        if match:
            item = dataclasses.replace(item, group=match.group(1))
        image = _read(item, settings)
        progress.advance()
        return image

    with futures.ThreadPoolExecutor(_READERS) as pool:
        outcomes = list(pool.map(work, drawn))
    images = tuple(image for image in outcomes if isinstance(image, NewImage))
    rejected = sorted({*rejected, *(bad for bad in outcomes if isinstance(bad, Rejected))})
    if not images:
        raise DataError(
            f'none of the {len(rejected):,} files of {source} can be used: '
            f'{reasons.in_words(rejected)}'
        )
    return NewImages(images, tuple(rejected), len(items))


def _listed(project: Project, source: str) -> tuple[list[SourceItem], Sequence[Rejected]]:
    columns = project.config.data.columns
    if source.lower().endswith(('.csv', '.tsv')) and not os.path.isdir(source):
        # What the project names need not be in a table of new images: no column is asked for but
        # that of the paths, and all others come as metadata.
        none = dict.fromkeys(('split', 'group', 'fold', 'confidence', 'metadata'))
        table = manifest.read(
            SourceSpec(source, columns=columns.model_copy(update={**none, 'label': ''}))
        )
        metadata_features({name for item in table.items for name in item.metadata})
        items = [
            dataclasses.replace(item, group=item.group or item.metadata.get(columns.group or ''))
            for item in table.items
        ]
        return items, table.rejected
    if recorded_folder.is_recorded(pathlib.Path(source)):
        source = os.path.join(source, recorded_folder.IMAGES)
    listed = listing.of_sources([source], columns)
    if listed.records:
        raise DataError(
            f'{source} holds TFRecords; give a folder of images, or a CSV with a column of paths'
        )
    return [SourceItem(item.path, item.name) for item in listed.items], listed.rejected


def _read(item: SourceItem, settings: ImageSettings) -> NewImage | Rejected:
    try:
        data = storage.read(item.path)
    except FileNotFoundError:
        return Rejected(item.relative_path, reasons.MISSING_FILE, 'was deleted after the listing')
    except OSError as error:
        return Rejected(item.relative_path, reasons.UNREADABLE, str(error.strerror or error))
    try:
        canonical = encoded_images.repair(data, settings)
    except BadImage as bad:
        return Rejected(item.relative_path, bad.reason, bad.detail)
    names = metadata_features(item.metadata)
    facts: dict[str, str | float] = {
        **dataclasses.asdict(image_facts.measure(canonical.luma)),
        'width': float(canonical.source_width),
        'height': float(canonical.source_height),
        'source_format': canonical.source_format,
        **{names[column]: value for column, value in item.metadata.items()},
    }
    identity = image_identity.image_id(data)
    return NewImage(item.relative_path, identity, item.group or identity, canonical.image, facts)
