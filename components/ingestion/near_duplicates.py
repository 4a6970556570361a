"""Finds pairs of near-duplicates among the images of an ingestion, in Beam.

`read` of `beam_pipeline` leaves a thumbnail of each image. From it come features that mirroring,
quarter turns, small crops and brightness hardly change (`thumbnail.spectra`); a sample of the set
says how much each of them varies, and has the pivots: an image goes to the buckets of the pivots
nearest to it. Within a bucket, each image has a second look (`second_look`) at those nearest to it.

No step holds all images, and none compares all pairs: a bucket is worked through in windows of
bounded size, and an image has a bounded number of candidates in each. The sample, the pivots and
the background are those with the lowest ids, which are hashes: so the order of the images does not
matter, nor how they are spread over workers.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.io.tfrecordio import _TFRecordUtil  # Has no public name.

from thawline.components.ingestion import augmented_names, second_look, storage, thumbnail
from thawline.components.ingestion.second_look import Pictures
from thawline.components.ingestion.thumbnail import SIDE

THUMBNAILS = 'thumbnails'
PAIRS = 'pairs'
ID_LENGTH = 32
SAMPLE = 1024
# benchmarks/near_duplicates.md has what these two give and cost.
LEAST_AGREEMENT = 0.7
LEAST_WITH_NAME = 0.4
_COMMON = 16  # pictures of the set's background
_AROUND = 64  # pictures like an image, beyond its candidates
_CANDIDATES = 16
_FAR = 0.6  # between features whose variance is 1
_NOISE = 0.1  # of the largest standard deviation: variation that says nothing
_PIVOTS = 512
_IMAGES_A_PIVOT = 96
_BUCKETS = 6  # an image
_WINDOW = 2048  # images of a bucket that are compared at once
_BATCH = 64


def record(image_id: str, path: str, luma: np.ndarray) -> bytes:
    """What `find` reads of an image: id, thumbnail, and what its name says."""
    family = augmented_names.family(path)
    return image_id.encode() + thumbnail.of_luma(luma).tobytes() + family.encode()


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two near-duplicates, by their ids, the lower one first; `agreement` is at most 1."""

    first: str
    second: str
    agreement: float


def find(root: beam.Pipeline, staging: str, ids: Iterable[str], turned: bool) -> None:
    """Adds the pipeline: thumbnails of `staging` to pairs, a line of JSON each.

    Args:
        root: to add to.
        staging: has thumbnails-*; gets pairs-*.
        ids: of all images.
        turned: whether images that are turned by quarters are near-duplicates, too.
    """
    distinct = set(ids)
    lowest = heapq.nsmallest(SAMPLE, distinct)
    shards = sorted(tf.io.gfile.glob(storage.join(staging, f'{THUMBNAILS}-*')))
    pivots = max(1, min(_PIVOTS, len(distinct) // _IMAGES_A_PIVOT))
    thumbnails = (
        root
        | 'Shards' >> beam.Create(list(enumerate(shards)))
        | 'Thumbnails' >> beam.ParDo(_ReadThumbnails(lowest[-1])).with_outputs('sample', main='all')
    )
    sample = beam.pvalue.AsList(thumbnails.sample)
    (
        thumbnails.all
        | 'Buckets' >> beam.ParDo(_Buckets(pivots), sample)
        | beam.GroupByKey()
        | 'Second look' >> beam.ParDo(_SecondLook(shards, turned), sample)
        | 'Pairs' >> beam.io.WriteToText(storage.join(staging, PAIRS))
    )


def parse_pairs(lines: Iterable[str]) -> list[Pair]:
    """Reads the lines that `find` left, each pair once."""
    best: dict[tuple[str, str], float] = {}
    for first, second, agreement in map(json.loads, lines):
        best[first, second] = max(agreement, best.get((first, second), -1.0))
    return [Pair(*ids, agreement) for ids, agreement in sorted(best.items())]


@dataclasses.dataclass(frozen=True)
class _Batch:
    """Some thumbnails, and where each is: shard, and byte in it."""

    shard: int
    ids: list[str]
    families: list[str]
    places: list[int]
    pixels: np.ndarray  # uint8 [n, SIDE, SIDE]


class _ReadThumbnails(beam.DoFn):
    """Shard -> batches; id and thumbnail of those in the sample as well."""

    def __init__(self, last: str) -> None:
        self._last = last

    def process(self, shard: tuple[int, str]) -> Iterator[Any]:
        number, path = shard
        batch: list[tuple[str, str, int, bytes]] = []
        for place, data in _records(path):
            image, pixels, family = _parsed(data)
            if image <= self._last:
                yield beam.pvalue.TaggedOutput('sample', (image, pixels))
            batch.append((image, family, place, pixels))
            if len(batch) == _BATCH:
                yield _batch(number, batch)
                batch = []
        if batch:
            yield _batch(number, batch)


def _records(path: str) -> Iterator[tuple[int, bytes]]:
    with tf.io.gfile.GFile(path, 'rb') as file:
        place = 0
        while (data := _TFRecordUtil.read_record(file)) is not None:
            yield place, data
            place = file.tell()


def _parsed(data: bytes) -> tuple[str, bytes, str]:
    end = ID_LENGTH + SIDE * SIDE
    return data[:ID_LENGTH].decode(), data[ID_LENGTH:end], data[end:].decode()


def _batch(shard: int, rows: Sequence[tuple[str, str, int, bytes]]) -> _Batch:
    ids, families, places, pixels = (list(column) for column in zip(*rows, strict=True))
    return _Batch(shard, ids, families, places, _pixels(pixels))


def _pixels(thumbnails: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b''.join(thumbnails), np.uint8).reshape(-1, SIDE, SIDE)


class _Metric:
    """From features to coordinates in which near-duplicates are near: by a sample of the set.

    Attributes:
        ids: of the sample, ascending.
        pixels: its thumbnails.
    """

    def __init__(self, sample: Iterable[tuple[str, bytes]]) -> None:
        by_id = dict(sample)
        self.ids = sorted(by_id)
        self.pixels = _pixels([by_id[image] for image in self.ids])
        features = thumbnail.spectra(self.pixels)
        self._mean = features.mean(0)
        _, scale, axes = np.linalg.svd(features - self._mean, full_matrices=False)
        scale = scale / np.sqrt(len(features))
        dimensions = features.shape[1]
        self._axes = axes.T / (scale + _NOISE * scale[0] + 1e-6) / np.sqrt(dimensions)

    def coordinates(self, pixels: np.ndarray) -> np.ndarray:
        """float32 [n, d] of thumbnails; a random pair is about 0.7 apart."""
        return np.asarray((thumbnail.spectra(pixels) - self._mean) @ self._axes, np.float32)


@dataclasses.dataclass(frozen=True)
class _Member:
    """An image in a bucket; `buckets` are all of its, that of the nearest pivot first."""

    image: str
    coordinates: bytes  # float16
    buckets: tuple[int, ...]
    family: str
    shard: int
    place: int


class _Buckets(beam.DoFn):
    """Batch -> (bucket, member) for each of an image's buckets, and for its family."""

    def __init__(self, pivots: int) -> None:
        self._count = pivots
        self._metric: _Metric | None = None
        self._pivots = np.zeros(0)

    def process(
        self, batch: _Batch, sample: list[tuple[str, bytes]]
    ) -> Iterator[tuple[str, _Member]]:
        if self._metric is None:
            self._metric = _Metric(sample)
            self._pivots = self._metric.coordinates(self._metric.pixels[: self._count])
        coordinates = self._metric.coordinates(batch.pixels)
        nearest = np.argsort(_distances(coordinates, self._pivots), axis=1, kind='stable')
        shown = thumbnail.has_detail(batch.pixels)
        for row, image in enumerate(batch.ids):
            if not shown[row]:
                continue
            buckets = tuple(nearest[row, :_BUCKETS].tolist())
            member = _Member(
                image, coordinates[row].astype(np.float16).tobytes(), buckets,
                batch.families[row], batch.shard, batch.places[row],
            )  # fmt: skip
            for bucket in buckets:
                yield f'{bucket}', member
            if member.family:
                yield f'name {member.family}', member


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0.0))


class _SecondLook(beam.DoFn):
    """(Bucket, members) -> pairs of near-duplicates, a line of JSON each."""

    def __init__(self, shards: Sequence[str], turned: bool) -> None:
        self._shards, self._turned = shards, turned
        self._metric: _Metric | None = None

    def process(
        self, bucket: tuple[str, Iterable[_Member]], sample: list[tuple[str, bytes]]
    ) -> Iterator[str]:
        if self._metric is None:
            self._metric = _Metric(sample)
        name, members = bucket
        by_id = {member.image: member for member in members}
        ordered = sorted(by_id.values(), key=lambda member: member.image)
        if len(ordered) > _WINDOW:
            along = np.array([_coordinates([member])[0, 0] for member in ordered])
            ordered = [ordered[row] for row in np.argsort(along, kind='stable')]
        for start in range(0, max(1, len(ordered) - _WINDOW // 2), _WINDOW // 2):
            yield from self._window(name, ordered[start : start + _WINDOW])

    def _window(self, name: str, members: Sequence[_Member]) -> Iterator[str]:
        by_name = name.startswith('name ')
        near = _name_candidates(members) if by_name else _candidates(int(name), members)
        if not near.pairs:
            return
        paired = {row for pair in near.pairs for row in pair}
        rows = sorted(paired.union(*near.around.values()))
        assert self._metric is not None
        used = [members[row] for row in rows]
        place = {row: number for number, row in enumerate(rows)}
        ids = [member.image for member in used]
        common = [n for n, image in enumerate(self._metric.ids[:_COMMON]) if image not in ids]
        pixels = [self._thumbnails(used), self._metric.pixels[common]]
        ids += [self._metric.ids[n] for n in common]
        background = set(self._metric.ids[:_COMMON])
        others = {}
        for row, alike in near.around.items():
            close = {members[other].image for other in near.close[row]}
            others[place[row]] = [place[other] for other in alike] + [
                n for n, image in enumerate(ids) if image in background - close
            ]
        pairs = np.array([[place[a], place[b]] for a, b in near.pairs])
        agreement = second_look.compare(
            Pictures.of(np.concatenate(pixels)), pairs, others, self._turned or by_name
        )
        least = LEAST_WITH_NAME if by_name else LEAST_AGREEMENT
        for (a, b), value in zip(pairs, agreement, strict=True):
            if value >= least:
                yield json.dumps([*sorted((ids[a], ids[b])), round(float(value), 4)])

    def _thumbnails(self, members: Sequence[_Member]) -> np.ndarray:
        pixels = np.empty((len(members), SIDE, SIDE), np.uint8)
        by_shard: dict[int, list[int]] = {}
        for row, member in enumerate(members):
            by_shard.setdefault(member.shard, []).append(row)
        for shard, rows in by_shard.items():
            with tf.io.gfile.GFile(self._shards[shard], 'rb') as file:
                for row in sorted(rows, key=lambda row: members[row].place):
                    file.seek(members[row].place)
                    pixels[row] = _pixels([_parsed(_TFRecordUtil.read_record(file))[1]])[0]
        return pixels


@dataclasses.dataclass
class _Near:
    """By row of a window: the pairs to look at, who is close to a row, and who is beyond these."""

    pairs: list[tuple[int, int]]
    close: dict[int, list[int]]
    around: dict[int, list[int]]


def _candidates(bucket: int, members: Sequence[_Member]) -> _Near:
    coordinates = _coordinates(members)
    distances = _distances(coordinates, coordinates)
    near = _Near([], {}, {})
    chosen = set()
    for row, member in enumerate(members):
        if member.buckets[0] != bucket:  # It looks for its own in that one.
            continue
        order = np.argsort(distances[row], kind='stable')
        order = order[(order != row) & (distances[row, order] < _FAR)]
        near.close[row] = order[:_CANDIDATES].tolist()
        for other in near.close[row]:
            if (other, row) not in chosen:
                chosen.add((row, other))
                near.pairs.append((row, other))
                near.around[row] = order[_CANDIDATES : _CANDIDATES + _AROUND].tolist()
    return near


def _name_candidates(members: Sequence[_Member]) -> _Near:
    rows = range(len(members))
    near = _Near([], {}, {})
    for row in rows:
        near.close[row] = [other for other in rows[:_CANDIDATES] if other != row]
        unpaired = row + 1 if row < _CANDIDATES else 0  # The first ones had these already.
        near.pairs += [(row, other) for other in near.close[row] if other >= unpaired]
        near.around[row] = []
    return near


def _coordinates(members: Sequence[_Member]) -> np.ndarray:
    joined = b''.join(member.coordinates for member in members)
    return np.frombuffer(joined, np.float16).astype(np.float32).reshape(len(members), -1)
