"""Finds pairs of near-duplicates among the images of an ingestion, in Beam.

`read` of `beam_pipeline` leaves a thumbnail of each image (`thumbnail_files`). From it come
features that mirroring, quarter turns, small crops and brightness hardly change
(`thumbnail.spectra`); a sample of the set says how much each of them varies, and has the pivots: an
image goes to the buckets of the pivots nearest to it. Within a bucket, each image has a second look
(`second_look`) at those nearest to it.

No step holds all images, and none compares all pairs: a bucket is worked through in windows of
bounded size, and an image has a bounded number of candidates in each. The sample, the pivots and
the background are those with the lowest ids, which are hashes: so the order of the images does not
matter, nor how they are spread over workers.

Most pairs of candidates do not even resemble each other, whatever the set: these are in the content
store, so that in a set that grows only new pairs are registered.
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

from thawline.components.ingestion import (
    candidate_pairs,
    second_look,
    storage,
    thumbnail,
    thumbnail_files,
)
from thawline.components.ingestion.candidate_pairs import Member
from thawline.components.ingestion.image_reading import Settings
from thawline.components.ingestion.params import Boxes
from thawline.components.ingestion.second_look import Pictures
from thawline.components.ingestion.thumbnail_files import ThumbnailBatch
from thawline.components.shared import code_digest
from thawline.components.shared.content_store import Namespace
from thawline.components.shared.store_shards import key_of
from thawline.components.shared.stored_fn import StoredFn

_CROPPING = 'thawline.components.ingestion.crops'
PAIRS = 'pairs'
SAMPLE = 1024
# benchmarks/near_duplicates.md has what these two give and cost.
LEAST_AGREEMENT = 0.7
LEAST_WITH_NAME = 0.4
_COMMON = 16  # pictures of the set's background
_NOISE = 0.1  # of the largest standard deviation: variation that says nothing
_PIVOTS = 512
_IMAGES_A_PIVOT = 96
_BUCKETS = 6  # an image
_WINDOW = 2048  # images of a bucket that are compared at once


def for_store(settings: Settings, boxes: Boxes) -> dict[str, Any]:
    """What decides whether two images resemble each other, beside their ids."""
    return {
        **settings.for_store(),
        'boxes': boxes.model_dump(),  # ids of cut out images are of their places
        'cropping': code_digest.of_code(_CROPPING),
        'second_look': code_digest.of_code(second_look.__name__),
    }


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two near-duplicates, by their ids, the lower one first; `agreement` is at most 1."""

    first: str
    second: str
    agreement: float


def find(
    root: beam.Pipeline,
    staging: str,
    ids: Iterable[str],
    turned: bool,
    namespace: Namespace | None = None,
) -> None:
    """Adds the pipeline: thumbnails of `staging` to pairs, a line of JSON each.

    Args:
        root: to add to.
        staging: has thumbnails-*; gets pairs-*.
        ids: of all images.
        turned: whether images that are turned by quarters are near-duplicates, too.
        namespace: of the store, for pairs that do not resemble each other.
    """
    distinct = set(ids)
    lowest = heapq.nsmallest(SAMPLE, distinct)
    shards = sorted(tf.io.gfile.glob(storage.join(staging, f'{thumbnail_files.THUMBNAILS}-*')))
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
        | 'Second look' >> beam.ParDo(_SecondLook(shards, turned, namespace), sample)
        | 'Pairs' >> beam.io.WriteToText(storage.join(staging, PAIRS))
    )


def parse_pairs(lines: Iterable[str]) -> list[Pair]:
    """Reads the lines that `find` left, each pair once."""
    best: dict[tuple[str, str], float] = {}
    for first, second, agreement in map(json.loads, lines):
        best[first, second] = max(agreement, best.get((first, second), -1.0))
    return [Pair(*ids, agreement) for ids, agreement in sorted(best.items())]


class _ReadThumbnails(beam.DoFn):
    """Shard -> batches; id and thumbnail of those in the sample as well."""

    def __init__(self, last: str) -> None:
        self._last = last

    def process(self, shard: tuple[int, str]) -> Iterator[Any]:
        for batch in thumbnail_files.read_batches(*shard):
            for image, pixels in zip(batch.ids, batch.pixels, strict=True):
                if image <= self._last:
                    yield beam.pvalue.TaggedOutput('sample', (image, pixels))
            yield batch


class _Metric:
    """From features to coordinates in which near-duplicates are near: by a sample of the set.

    Attributes:
        ids: of the sample, ascending.
        pixels: its thumbnails.
    """

    def __init__(self, sample: Iterable[tuple[str, np.ndarray]]) -> None:
        by_id = dict(sample)
        self.ids = sorted(by_id)
        self.pixels = np.stack([by_id[image] for image in self.ids])
        features = thumbnail.spectra(self.pixels)
        self._mean = features.mean(0)
        _, scale, axes = np.linalg.svd(features - self._mean, full_matrices=False)
        scale = scale / np.sqrt(len(features))
        dimensions = features.shape[1]
        self._axes = axes.T / (scale + _NOISE * scale[0] + 1e-6) / np.sqrt(dimensions)

    def coordinates(self, pixels: np.ndarray) -> np.ndarray:
        """float32 [n, d] of thumbnails; a random pair is about 0.7 apart."""
        return np.asarray((thumbnail.spectra(pixels) - self._mean) @ self._axes, np.float32)


class _Buckets(beam.DoFn):
    """Batch -> (bucket, packed member) for each of an image's buckets, and for its family."""

    def __init__(self, pivots: int) -> None:
        self._count = pivots
        self._metric: _Metric | None = None
        self._pivots = np.zeros(0)

    def process(
        self, batch: ThumbnailBatch, sample: list[tuple[str, np.ndarray]]
    ) -> Iterator[tuple[str, bytes]]:
        with candidate_pairs.one_thread():
            if self._metric is None:
                self._metric = _Metric(sample)
                self._pivots = self._metric.coordinates(self._metric.pixels[: self._count])
            coordinates = self._metric.coordinates(batch.pixels)
            nearest = np.argsort(
                candidate_pairs.distances(coordinates, self._pivots), axis=1, kind='stable'
            )
            shown = thumbnail.has_detail(batch.pixels)
        for row, image in enumerate(batch.ids):
            if not shown[row]:
                continue
            buckets = tuple(nearest[row, :_BUCKETS].tolist())
            member = Member(
                image, coordinates[row].astype(np.float16).tobytes(), buckets,
                batch.families[row], batch.shard, batch.places[row],
            )  # fmt: skip
            packed = member.to_bytes()
            for bucket in buckets:
                yield f'{bucket}', packed
            if member.family:
                yield f'name {member.family}', packed


class _SecondLook(StoredFn):
    """(Bucket, packed members) -> pairs of near-duplicates, a line of JSON each."""

    def __init__(self, shards: Sequence[str], turned: bool, namespace: Namespace | None) -> None:
        super().__init__(namespace)
        self._shards, self._turned = shards, turned
        self._metric: _Metric | None = None

    def process(
        self, bucket: tuple[str, Iterable[bytes]], sample: list[tuple[str, np.ndarray]]
    ) -> Iterator[str]:
        if self._metric is None:
            with candidate_pairs.one_thread():
                self._metric = _Metric(sample)
        name, members = bucket
        by_id = {member.image: member for member in map(Member.from_bytes, members)}
        ordered = sorted(by_id.values(), key=lambda member: member.image)
        if len(ordered) > _WINDOW:
            along = np.array([candidate_pairs.coordinates([member])[0, 0] for member in ordered])
            ordered = [ordered[row] for row in np.argsort(along, kind='stable')]
        for start in range(0, max(1, len(ordered) - _WINDOW // 2), _WINDOW // 2):
            yield from self._window(name, ordered[start : start + _WINDOW])

    def _window(self, name: str, members: Sequence[Member]) -> Iterator[str]:
        by_name = name.startswith('name ')
        near = (
            candidate_pairs.of_family(members)
            if by_name
            else candidate_pairs.of_bucket(int(name), members)
        )
        turned = self._turned or by_name
        kept = self._alike(members, near.pairs, turned)
        if not kept:
            return
        looking = {row for row, _ in kept}
        paired = {row for pair in kept for row in pair}
        rows = sorted(paired.union(*(near.around[row] for row in looking)))
        assert self._metric is not None
        used = [members[row] for row in rows]
        place = {row: number for number, row in enumerate(rows)}
        ids = [member.image for member in used]
        common = [n for n, image in enumerate(self._metric.ids[:_COMMON]) if image not in ids]
        pixels = [self._thumbnails(used), self._metric.pixels[common]]
        ids += [self._metric.ids[n] for n in common]
        background = set(self._metric.ids[:_COMMON])
        others = {}
        for row in looking:
            close = {members[other].image for other in near.close[row]}
            alike = [place[other] for other in near.around[row]] + [
                n for n, image in enumerate(ids) if image in background - close
            ]
            # In an order that does not depend on which pairs are looked at.
            others[place[row]] = sorted(alike, key=ids.__getitem__)
        pairs = np.array([[place[a], place[b]] for a, b in kept])
        with candidate_pairs.one_thread():
            pictures = Pictures.of(np.concatenate(pixels))
            agreement = second_look.compare(pictures, pairs, others, turned)
        least = LEAST_WITH_NAME if by_name else LEAST_AGREEMENT
        for (a, b), value in zip(pairs, agreement, strict=True):
            if value >= least:
                yield json.dumps([*sorted((ids[a], ids[b])), round(float(value), 4)])

    def _alike(
        self, members: Sequence[Member], pairs: Sequence[tuple[int, int]], turned: bool
    ) -> list[tuple[int, int]]:
        """The few pairs that resemble each other; those that do not are in the store, or are added.

        So the pictures that explain what a pair shares with its set are read for these few alone.
        """
        keys = [_pair_key(members[a].image, members[b].image, turned) for a, b in pairs]
        unknown = np.flatnonzero(~self.records.knows(keys)).tolist()
        if not unknown:
            return []
        rows = sorted({row for n in unknown for row in pairs[n]})
        place = {row: number for number, row in enumerate(rows)}
        looked_at = np.array([[place[row] for row in pairs[n]] for n in unknown])
        with candidate_pairs.one_thread():
            pictures = Pictures.of(self._thumbnails([members[row] for row in rows]))
            agreement = second_look.compare(pictures, looked_at, {}, turned)
        for n, value in zip(unknown, agreement, strict=True):
            if value == second_look.UNLIKE:
                self.records.put(keys[n], b'')
        return [
            pairs[n]
            for n, value in zip(unknown, agreement, strict=True)
            if value != second_look.UNLIKE
        ]

    def _thumbnails(self, members: Sequence[Member]) -> np.ndarray:
        places = [(member.shard, member.place) for member in members]
        return thumbnail_files.read_at(self._shards, places)


def _pair_key(first: str, second: str, turned: bool) -> bytes:
    return key_of(f'{first}{second}{turned}'.encode())
