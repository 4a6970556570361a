"""The first Beam pipeline of ingestion.

`read` decodes every image once and writes canonical examples to shards, with a small row for each;
`split_pipeline` shares the shards out over the splits. The plan is made between them, from the rows
alone, and so is the depth of images of more than 8 bits: these keep their source until the second
pipeline scales them all alike. Image bytes never cross a shuffle or a side input, so memory does
not grow with the data.

In one process, records keep the listing's order (by path) up to 20,000 images; distributed runners
keep none. The set of records is the same in every case.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import apache_beam as beam

from thawline.components.ingestion import (
    crops,
    decoding,
    examples,
    image_identity,
    image_reading,
    label_overlay,
    listing_pieces,
    storage,
    tfrecord,
    thumbnail_files,
)
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.bad_image import BadImage
from thawline.components.ingestion.image_reading import Settings
from thawline.components.ingestion.params import Boxes, Columns
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.ingestion.readable_image import ReadableImage
from thawline.components.ingestion.source_types import Listing, SourceItem
from thawline.components.shared import progress
from thawline.components.shared.content_store import Namespace
from thawline.components.shared.sample_depth import SampleUse
from thawline.components.shared.stored_fn import StoredFn

NO_COMPRESSION = 'uncompressed'


def read(
    root: beam.Pipeline,
    listing: Listing,
    columns: Columns,
    target: str,
    settings: Settings,
    boxes: Boxes | None = None,
    namespace: Namespace | None = None,
) -> None:
    """Adds the pipeline: images to `target`/examples-*, and a line each to outcomes-*.

    Labels are those of the source with the listing's corrections over them. With thumbnails also
    one of each image, for `near_duplicates`, to thumbnails-*. `boxes` says how they are cut out.
    What the `namespace` of the store has of an image is not computed again.

    A line is a JSON object: a `Row`, or a `Rejected`. One file for both, because every sink costs
    Beam a quarter of a second.
    """
    if listing.record_files:
        raw = (
            root
            | 'Files' >> beam.Create([(e.path, e.relative) for e in listing.record_files])
            | 'Records'
            >> beam.ParDo(
                _ReadRecords(
                    columns, decoding.most_bytes(settings.max_pixels), bool(listing.corrections)
                )
            ).with_outputs('outcomes', main='ok')
        )
    else:
        load = _Load(settings.max_pixels, boxes or Boxes())
        images = listing_pieces.create(root, listing.items, target)
        raw = images | 'Load' >> beam.ParDo(load).with_outputs('outcomes', main='ok')
    needs_label = bool(listing.corrections and (listing.columns or columns).label)
    done = raw.ok | 'Canonicalise' >> beam.ParDo(
        _Canonicalise(settings, listing.labels, needs_label, namespace)
    ).with_outputs('outcomes', thumbnail_files.THUMBNAILS, main='examples')
    if settings.thumbnails:
        done[thumbnail_files.THUMBNAILS] | 'Thumbnails' >> beam.io.WriteToTFRecord(
            storage.join(target, thumbnail_files.THUMBNAILS), compression_type=NO_COMPRESSION
        )
    done.examples | beam.io.WriteToTFRecord(
        storage.join(target, 'examples'), compression_type=NO_COMPRESSION
    )
    (
        [raw.outcomes, done.outcomes]
        | beam.Flatten()
        | 'Outcomes' >> beam.io.WriteToText(storage.join(target, 'outcomes'))
    )


class _LoadedImage(NamedTuple):
    """An image and its encoded bytes; of one that was cut out, also what these do not say."""

    item: SourceItem
    data: bytes
    image_id: str = ''
    source_format: str = ''


def _reject(
    item: SourceItem, reason: str, detail: str, identity: str = ''
) -> beam.pvalue.TaggedOutput:
    progress.advance()
    return _outcome(Rejected(item.relative_path, reason, detail, item.label or '', identity))


def _outcome(outcome: ReadableImage | Rejected) -> beam.pvalue.TaggedOutput:
    return beam.pvalue.TaggedOutput('outcomes', json.dumps(dataclasses.asdict(outcome)))


def parse_outcomes(lines: Iterable[str]) -> tuple[list[ReadableImage], list[Rejected]]:
    """Reads the lines that `read` left."""
    outcomes = [json.loads(line) for line in lines]
    rejected = [Rejected(**fields) for fields in outcomes if 'reason' in fields]
    return [_row(fields) for fields in outcomes if 'reason' not in fields], rejected


def _row(fields: dict[str, Any]) -> ReadableImage:
    samples = fields.pop('samples')
    return ReadableImage(**fields, samples=samples and SampleUse(**samples))


class _Load(beam.DoFn):
    """List of SourceItems in one file -> _LoadedImage of each."""

    def __init__(self, max_pixels: int, boxes: Boxes) -> None:
        self._max_pixels, self._boxes = max_pixels, boxes

    def process(self, items: list[SourceItem]) -> Iterator[Any]:
        try:
            data = storage.read(items[0].path, decoding.most_bytes(self._max_pixels))
        except storage.FileTooLarge as error:
            yield from (_reject(item, reasons.TOO_LARGE, str(error)) for item in items)
        except FileNotFoundError:
            gone = 'gone since it was listed'
            yield from (_reject(item, reasons.MISSING_FILE, gone) for item in items)
        except OSError as error:
            why = str(error.strerror or error)
            yield from (_reject(item, reasons.UNREADABLE, why) for item in items)
        else:
            yield from self._images(items, data)

    def _images(self, items: list[SourceItem], data: bytes) -> Iterator[Any]:
        boxes = [item.box for item in items if item.box]
        if not boxes:
            yield _LoadedImage(items[0], data)
            return
        parts = crops.cut(data, boxes, self._boxes, self._max_pixels)
        for item, part in zip(items, parts, strict=True):
            if isinstance(part, BadImage):
                yield _reject(item, part.reason, part.detail)
            else:
                # The boxes of a picture never part, nor do those of its copies under other names.
                item = dataclasses.replace(item, group=item.group or part.picture_id)
                yield _LoadedImage(item, part.image, part.image_id, part.source_format)


class _ReadRecords(beam.DoFn):
    """TFRecord file -> _LoadedImage of each record, of at most so many bytes."""

    def __init__(self, columns: Columns, most: int, keep_unlabelled: bool) -> None:
        self._columns, self._most, self._keep_unlabelled = columns, most, keep_unlabelled

    def process(self, file: tuple[str, str]) -> Iterator[Any]:
        path, relative = file
        for outcome in tfrecord.records(
            path, relative, self._columns, self._most, self._keep_unlabelled
        ):
            if isinstance(outcome, Rejected):
                progress.advance()
                yield _outcome(outcome)
            else:
                yield _LoadedImage(*outcome)


class _Canonicalise(StoredFn):
    """_LoadedImage -> serialised example, its row and, if asked for, its thumbnail."""

    def __init__(
        self,
        settings: Settings,
        labels: Mapping[str, str],
        needs_label: bool,
        namespace: Namespace | None,
    ) -> None:
        """`labels`: corrected ones by image id, '' for an image to leave out."""
        super().__init__(namespace)
        self._settings, self._labels, self._needs_label = settings, labels, needs_label

    def process(self, loaded: _LoadedImage) -> Iterator[Any]:
        item, data = loaded.item, loaded.data
        identity = loaded.image_id or image_identity.image_id(data)
        corrected = self._labels.get(identity)
        if corrected == '':
            yield _reject(item, reasons.LEFT_OUT, f'by {label_overlay.FILE}', identity)
            return
        if corrected is None and item.label is None and self._needs_label:
            yield _reject(item, reasons.NO_LABEL, f'nor in {label_overlay.FILE}', identity)
            return
        try:
            decoded = image_reading.decode_once(data, self._settings, self.records)
        except BadImage as bad:
            yield _reject(item, bad.reason, bad.detail, identity)
            return
        if loaded.source_format:
            decoded = dataclasses.replace(decoded, source_format=loaded.source_format)
        labelled = _with_label(item, corrected)
        example = examples.to_example(labelled, identity, decoded)
        if labelled.label != item.label:
            examples.keep_source_label(example, item.label)
        if decoded.samples:
            examples.keep_source(example, data)
        row = ReadableImage(
            item.relative_path, identity, item.group, labelled.label, item.split, decoded.samples,
            item.label, item.fold,
        )  # fmt: skip
        yield example.SerializeToString(deterministic=True)
        yield _outcome(row)
        if self._settings.thumbnails:
            yield beam.pvalue.TaggedOutput(
                thumbnail_files.THUMBNAILS,
                thumbnail_files.record(identity, item.relative_path, decoded.thumbnail),
            )
        progress.advance()


def _with_label(item: SourceItem, label: str | None) -> SourceItem:
    """With a corrected label, which is certain."""
    if label is None:
        return item
    confidence = None if item.confidence is None else 1.0
    return dataclasses.replace(item, label=label, confidence=confidence)
