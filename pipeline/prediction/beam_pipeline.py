"""The Beam pipeline of batch prediction: chunks of a listing in, files of answers out.

A chunk is a few hundred images, or one TFRecord file. Its worker reads files ahead in threads while
the model runs on the batch before, so that neither waits for the other. Image bytes are not
elements of Beam; memory holds a few batches, whatever the number of images. If the graph refuses a
batch, each image is checked by itself: bad ones are rejected with a reason, the others predicted.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.utils import shared

from thawline.components.bulk_prediction.listing import Item, UnlabelledListing, without_labels
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion import storage, tfrecord
from thawline.components.ingestion.bad_image import BadImage
from thawline.components.ingestion.decoding import ImageSettings
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.shared import progress
from thawline.pipeline.prediction import chunk_files, encoded_images, model

BATCH = 64
_CHUNK = 8 * BATCH  # images
_IN_PIPELINE = 20_000  # images whose names the pipeline itself may contain: a few megabytes
_READERS = 8
_AHEAD = 2 * BATCH  # images read while the model runs
# Batches that the model runs at once: one uses what the other leaves idle (a GPU while images are
# decoded, a core at the end of each operation).
_IN_FLIGHT = 2


@dataclasses.dataclass(frozen=True)
class PredictionJob:
    """Settings that are the same for all chunks.

    Attributes:
        model: folder of the SavedModel.
        folder: receives the files of the chunks; every worker must reach it.
        columns: `image` is the feature of tf.Examples.
        images: see `encoded_images.to_servable`.
    """

    model: str
    folder: str
    columns: Columns
    images: ImageSettings


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Images in files of their own, or one TFRecord file.

    Attributes:
        number: its place in the listing.
        items: the images.
        records: the TFRecord file.
        listing: a file with the items, in their place.
    """

    number: int
    items: tuple[Item, ...] = ()
    records: Item | None = None
    listing: pathlib.Path | None = None

    def load_items(self) -> tuple[Item, ...]:
        """The images, read from the listing file where there is one."""
        if self.listing is None:
            return self.items
        rows = json.loads(self.listing.read_text('ascii'))
        return tuple(Item(*row) for row in rows)

    def move_items_to_file(self, folder: pathlib.Path) -> Chunk:
        """The same chunk with its items in a file of `folder`."""
        if not self.items:
            return self
        path = folder / f'listing-{self.number:06d}.json'
        text = json.dumps(
            [(item.name, item.path) for item in self.items]
        )  # ASCII, whatever the names
        path.write_text(text, 'ascii')
        return Chunk(self.number, listing=path)


@dataclasses.dataclass(frozen=True)
class EncodedImage:
    """An image that the graph should decode.

    Attributes:
        name: in the table.
        source: its original bytes; empty where `image` was encoded here.
        image: the bytes for the model.
    """

    name: str
    source: bytes
    image: bytes


def split_into_chunks(listing: UnlabelledListing) -> list[Chunk]:
    """The chunks of a listing, in the order of the rows."""
    items = listing.items
    pieces = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    chunks = [Chunk(number, piece) for number, piece in enumerate(pieces)]
    start = len(chunks)
    return chunks + [Chunk(start + i, records=file) for i, file in enumerate(listing.records)]


def add_pipeline(root: beam.Pipeline, chunks: Sequence[Chunk], job: PredictionJob) -> None:
    """Adds the steps to `root`.

    The engine receives the chunks in one message, so a long listing goes into files.
    """
    if sum(len(chunk.items) for chunk in chunks) > _IN_PIPELINE:
        chunks = [chunk.move_items_to_file(pathlib.Path(job.folder)) for chunk in chunks]
    (
        root
        | 'Chunks' >> beam.Create(list(chunks))
        | 'Share out' >> beam.Reshuffle()  # else one worker gets all of them
        | 'Predict' >> beam.ParDo(_PredictChunk(job))
    )


class _PredictChunk(beam.DoFn):
    """Chunk -> its number, once its files are written."""

    def __init__(self, job: PredictionJob) -> None:
        self._job = job
        self._shared = shared.Shared()

    def setup(self) -> None:
        self._model = model.get(self._job.model, self._shared)

    def process(self, chunk: Chunk) -> Iterator[int]:
        folder = pathlib.Path(self._job.folder)
        with chunk_files.write_chunk(folder, chunk.number, len(self._model.classes)) as writer:
            batches = _split_into_batches(self._outcomes(chunk))
            for rows, bad in _parallel_map(self._answer, batches, _IN_FLIGHT, _IN_FLIGHT):
                if rows is not None:
                    writer.add(rows)
                writer.rejected += bad
        yield chunk.number

    def _answer(self, outcomes: list[EncodedImage | Rejected]) -> tuple[Any, list[Rejected]]:
        images = [outcome for outcome in outcomes if isinstance(outcome, EncodedImage)]
        bad = [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
        rows, refused = predict_images(self._model, images, self._job)
        progress.advance(len(outcomes))
        return rows, bad + refused

    def _outcomes(self, chunk: Chunk) -> Iterator[EncodedImage | Rejected]:
        if chunk.records is None:
            return _parallel_map(self._read, chunk.load_items(), _READERS, _AHEAD)
        columns = without_labels(self._job.columns)
        records = tfrecord.records(chunk.records.path, chunk.records.name, columns)
        return _parallel_map(self._unpack, records, _READERS, _AHEAD)

    def _read(self, item: Item) -> EncodedImage | Rejected:
        try:
            data = storage.read(item.path)
        except FileNotFoundError:
            return Rejected(item.name, reasons.MISSING_FILE, 'was deleted after the listing')
        except OSError as error:
            return Rejected(item.name, reasons.UNREADABLE, str(error.strerror or error))
        return self._encode(item.name, data)

    def _unpack(self, record: Any) -> EncodedImage | Rejected:
        if isinstance(record, Rejected):
            return record
        item, data = record
        return self._encode(item.relative_path, data)

    def _encode(self, name: str, data: bytes) -> EncodedImage | Rejected:
        try:
            image = encoded_images.to_servable(data, self._job.images)
        except BadImage as bad:
            return Rejected(name, bad.reason, bad.detail)
        return EncodedImage(name, data if image is data else b'', image)


def predict_images(
    predictor: model.Predictor, images: list[EncodedImage], job: PredictionJob
) -> tuple[Any | None, list[Rejected]]:
    """Rows of the images that the graph can decode, in order, and the other images."""
    if not images:
        return None, []
    try:
        return _predict_rows(predictor, images), []
    except tf.errors.InvalidArgumentError:
        pass
    good, bad = [], []
    for image in images:
        if not image.source:  # encoded here, hence decodable
            good.append(image)
            continue
        try:
            repaired = encoded_images.repair(image.source, job.images).image
        except BadImage as error:
            bad.append(Rejected(image.name, error.reason, error.detail))
        else:
            good.append(dataclasses.replace(image, image=repaired))
    return _predict_rows(predictor, good) if good else None, bad


def _predict_rows(predictor: model.Predictor, images: list[EncodedImage]) -> Any:
    answers = predictor.answers([image.image for image in images])
    return chunk_files.record_batch([image.name for image in images], answers)


def _split_into_batches(
    outcomes: Iterable[EncodedImage | Rejected],
) -> Iterator[list[EncodedImage | Rejected]]:
    pending = iter(outcomes)
    while batch := list(itertools.islice(pending, BATCH)):
        yield batch


def _parallel_map(
    function: Callable[[Any], Any], items: Iterable[Any], threads: int, ahead: int
) -> Iterator[Any]:
    """`map` in threads and in order, at most `ahead` results before the one that is read."""
    source = iter(items)
    with futures.ThreadPoolExecutor(threads) as pool:
        waiting = collections.deque(
            pool.submit(function, item) for item in itertools.islice(source, ahead)
        )
        try:
            while waiting:
                done = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in itertools.islice(source, 1))
                yield done
        finally:
            for future in waiting:
                future.cancel()
