"""Files of thumbnails, which `beam_pipeline` writes and `near_duplicates` reads.

A record has the id of an image, its thumbnail, and the family that its name says. A file is read
as a whole, in batches, or at the places of some images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from apache_beam.io.tfrecordio import _TFRecordUtil  # Has no public name.

from thawline.components.ingestion import augmented_names, storage
from thawline.components.ingestion.thumbnail import SIDE

THUMBNAILS = 'thumbnails'
ID_LENGTH = 32
_BATCH = 64


@dataclasses.dataclass(frozen=True)
class ThumbnailBatch:
    """Some thumbnails, and where each is: shard, and byte in it."""

    shard: int
    ids: list[str]
    families: list[str]
    places: list[int]
    pixels: np.ndarray  # uint8 [n, SIDE, SIDE]


def record(image_id: str, path: str, picture: bytes) -> bytes:
    """Of an image whose thumbnail is `picture`, uint8 [SIDE, SIDE] as bytes."""
    return image_id.encode() + picture + augmented_names.family(path).encode()


def read_batches(shard: int, path: str) -> Iterator[ThumbnailBatch]:
    """All thumbnails of the file at `path`, whose number is `shard`."""
    batch: list[tuple[str, str, int, bytes]] = []
    for place, data in _records(path):
        image, pixels, family = _parsed(data)
        batch.append((image, family, place, pixels))
        if len(batch) == _BATCH:
            yield _batch(shard, batch)
            batch = []
    if batch:
        yield _batch(shard, batch)


def read_at(shards: Sequence[str], places: Sequence[tuple[int, int]]) -> np.ndarray:
    """Thumbnails uint8 [n, SIDE, SIDE] at n places, in their order.

    Args:
        shards: paths of all files.
        places: shard, and byte in it.
    """
    pixels = np.empty((len(places), SIDE, SIDE), np.uint8)
    by_shard: dict[int, list[int]] = {}
    for row, (shard, _) in enumerate(places):
        by_shard.setdefault(shard, []).append(row)
    for shard, rows in by_shard.items():
        with _open(shards[shard]) as file:
            for row in sorted(rows, key=lambda row: places[row][1]):
                file.seek(places[row][1])
                pixels[row] = _pixels([_parsed(_TFRecordUtil.read_record(file))[1]])[0]
    return pixels


def _open(path: str) -> Any:
    """A file to read; TensorFlow takes half a millisecond for each read of a record."""
    return tf.io.gfile.GFile(path, 'rb') if storage.is_remote(path) else open(path, 'rb')


def _records(path: str) -> Iterator[tuple[int, bytes]]:
    with _open(path) as file:
        place = 0
        while (data := _TFRecordUtil.read_record(file)) is not None:
            yield place, data
            place = file.tell()


def _parsed(data: bytes) -> tuple[str, bytes, str]:
    end = ID_LENGTH + SIDE * SIDE
    return data[:ID_LENGTH].decode(), data[ID_LENGTH:end], data[end:].decode()


def _batch(shard: int, rows: Sequence[tuple[str, str, int, bytes]]) -> ThumbnailBatch:
    ids, families, places, pixels = (list(column) for column in zip(*rows, strict=True))
    return ThumbnailBatch(shard, ids, families, places, _pixels(pixels))


def _pixels(thumbnails: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b''.join(thumbnails), np.uint8).reshape(-1, SIDE, SIDE)
