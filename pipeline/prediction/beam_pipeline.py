"""The Beam pipeline of batch prediction: chunks of a listing in, files of answers out.

A chunk is a few hundred images, or one TFRecord file. The worker that has it reads files ahead in
threads while the model answers to the batch before, so that neither waits for the other; image
bytes are no elements of Beam, and what is in memory is a few batches, whatever the number of
images. A batch in which the graph refuses an image is looked at image by image: the bad ones are
rejected with their reasons, the others are answered.
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

from thawline.components.bulk_prediction.listing import Item, Listing, without_labels
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion import storage, tfrecord
from thawline.components.ingestion.canonical import BadImage
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.shared import progress
from thawline.pipeline.prediction import chunk_files, encoded_images, model

BATCH = 64
_CHUNK = 8 * BATCH  # images
_IN_PIPELINE = 20_000  # images whose names may be a part of the pipeline itself: some megabytes
_READERS = 8
_AHEAD = 2 * BATCH  # images that are read while the model works
# Batches that the model has at once: what one leaves idle (a GPU while images are decoded, a core
# at the end of each operation), the other uses.
_IN_FLIGHT = 2


@dataclasses.dataclass(frozen=True)
class PredictionJob:
    """What is the same for all images.

    Attributes:
        model: folder of the SavedModel.
        folder: receives the parts; every worker must reach it.
        columns: `image` is the feature of examples.
        max_side, max_pixels: of `encoded.servable`.
    """

    model: str
    folder: str
    columns: Columns
    max_side: int
    max_pixels: int


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Images in files of their own, or one TFRecord file.

    Attributes:
        number: its place among all of them.
        items: the images.
        records: the TFRecord file.
        listed: a file with the items, in place of them.
    """

    number: int
    items: tuple[Item, ...] = ()
    records: Item | None = None
    listed: pathlib.Path | None = None

    def of_file(self) -> Chunk:
        """The chunk with its items, wherever they are."""
        if self.listed is None:
            return self
        items = json.loads(self.listed.read_text('ascii'))
        return Chunk(self.number, tuple(Item(*one) for one in items))

    def in_file(self, folder: pathlib.Path) -> Chunk:
        """The chunk with its items in a file of `folder`."""
        if not self.items:
            return self
        path = folder / f'listing-{self.number:06d}.json'
        text = json.dumps([(one.name, one.path) for one in self.items])  # ASCII, whatever the names
        path.write_text(text, 'ascii')
        return Chunk(self.number, listed=path)


@dataclasses.dataclass(frozen=True)
class EncodedImage:
    """An image that the graph should be able to decode: what it is called, and its bytes."""

    name: str
    source: bytes
    image: bytes


def split_into_chunks(listing: Listing) -> list[Chunk]:
    """The whole listing in pieces, in the order in which rows are to come out."""
    items = listing.items
    pieces = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    found = [Chunk(number, piece) for number, piece in enumerate(pieces)]
    start = len(found)
    return found + [Chunk(start + i, records=file) for i, file in enumerate(listing.records)]


def add_pipeline(root: beam.Pipeline, some: Sequence[Chunk], job: PredictionJob) -> None:
    """Adds the pipeline.

    What is created in it goes to the engine in one message: a long listing travels in files.
    """
    if sum(len(one.items) for one in some) > _IN_PIPELINE:
        some = [one.in_file(pathlib.Path(job.folder)) for one in some]
    (
        root
        | 'Chunks' >> beam.Create(list(some))
        | 'Share out' >> beam.Reshuffle()  # else one worker would get all of them
        | 'Predict' >> beam.ParDo(_PredictChunk(job))
    )


class _PredictChunk(beam.DoFn):
    """Chunk -> its number, when its parts are written."""

    def __init__(self, job: PredictionJob) -> None:
        self._job = job
        self._shared = shared.Shared()

    def setup(self) -> None:
        self._model = model.of(self._job.model, self._shared)

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
        good = [one for one in outcomes if isinstance(one, EncodedImage)]
        bad = [one for one in outcomes if isinstance(one, Rejected)]
        rows, refused = predict_images(self._model, good, self._job)
        progress.advance(len(outcomes))
        return rows, bad + refused

    def _outcomes(self, chunk: Chunk) -> Iterator[EncodedImage | Rejected]:
        if chunk.records is None:
            return _parallel_map(self._read, chunk.of_file().items, _READERS, _AHEAD)
        columns = without_labels(self._job.columns)
        found = tfrecord.records(chunk.records.path, chunk.records.name, columns)
        return _parallel_map(self._unpacked, found, _READERS, _AHEAD)

    def _read(self, item: Item) -> EncodedImage | Rejected:
        try:
            data = storage.read(item.path)
        except FileNotFoundError:
            return Rejected(item.name, reasons.MISSING_FILE, 'gone since it was listed')
        except OSError as error:
            return Rejected(item.name, reasons.UNREADABLE, str(error.strerror or error))
        return self._checked(item.name, data)

    def _unpacked(self, record: Any) -> EncodedImage | Rejected:
        if isinstance(record, Rejected):
            return record
        item, data = record
        return self._checked(item.relative_path, data)

    def _checked(self, name: str, data: bytes) -> EncodedImage | Rejected:
        try:
            image = encoded_images.to_servable(data, self._job.max_side, self._job.max_pixels)
        except BadImage as bad:
            return Rejected(name, bad.reason, bad.detail)
        return EncodedImage(name, data if image is data else b'', image)


def predict_images(
    predictor: model.Predictor, some: list[EncodedImage], job: PredictionJob
) -> tuple[Any | None, list[Rejected]]:
    """Rows of those that the graph can decode, in their order, and the others."""
    if not some:
        return None, []
    try:
        return _predict_rows(predictor, some), []
    except tf.errors.InvalidArgumentError:
        pass
    good, bad = [], []
    for one in some:
        try:
            # What was encoded by us has no source any more, and is no suspect.
            image = (
                encoded_images.repair(one.source, job.max_side, job.max_pixels)
                if one.source
                else None
            )
        except BadImage as error:
            bad.append(Rejected(one.name, error.reason, error.detail))
        else:
            good.append(dataclasses.replace(one, image=image or one.image))
    return _predict_rows(predictor, good) if good else None, bad


def _predict_rows(predictor: model.Predictor, some: list[EncodedImage]) -> Any:
    answers = predictor.answers([one.image for one in some])
    return chunk_files.record_batch([one.name for one in some], answers)


def _split_into_batches(
    outcomes: Iterable[EncodedImage | Rejected],
) -> Iterator[list[EncodedImage | Rejected]]:
    pending = iter(outcomes)
    while found := list(itertools.islice(pending, BATCH)):
        yield found


def _parallel_map(
    work: Callable[[Any], Any], some: Iterable[Any], threads: int, ahead: int
) -> Iterator[Any]:
    """`map` in threads, in order, at most `ahead` results before the one that is taken."""
    source = iter(some)
    with futures.ThreadPoolExecutor(threads) as pool:
        waiting = collections.deque(
            pool.submit(work, one) for one in itertools.islice(source, ahead)
        )
        try:
            while waiting:
                done = waiting.popleft().result()
                waiting.extend(pool.submit(work, one) for one in itertools.islice(source, 1))
                yield done
        finally:
            for one in waiting:
                one.cancel()
