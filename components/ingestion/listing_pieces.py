"""The listing of a source as the beginning of a Beam pipeline."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
import tensorflow as tf

from thawline.components.ingestion import storage
from thawline.components.ingestion.source_types import SourceItem

_IN_PIPELINE = 20_000  # images whose names may be a part of the pipeline itself: some megabytes
_PIECE = 2_000  # images a file of the listing


def create(root: beam.Pipeline, items: Sequence[SourceItem], target: str) -> beam.PCollection:
    """The images to read, in lists: the boxes of a picture, or one image.

    Beam packs what is created into the pipeline itself, which goes to the engine in one message: a
    long listing travels in files.
    """
    if len(items) <= _IN_PIPELINE:
        return root | 'Listing' >> beam.Create(_by_picture(items))
    return (
        root
        | 'Listing' >> beam.Create(write(items, target))
        | 'Share out' >> beam.Reshuffle()
        | 'Items' >> beam.ParDo(ReadPieces())
    )


def write(items: Sequence[SourceItem], target: str) -> list[str]:
    """Writes the listing to files in `target`; returns their paths."""
    paths = []
    for start in range(0, len(items), _PIECE):
        path = storage.join(target, f'listing-{start // _PIECE:06d}')
        lines = (json.dumps(dataclasses.asdict(one)) for one in items[start : start + _PIECE])
        with tf.io.gfile.GFile(path, 'w') as file:
            file.write('\n'.join(lines))
        paths.append(path)
    return paths


class ReadPieces(beam.DoFn):
    """Path of a piece of the listing -> lists as of `_by_picture`."""

    def process(self, path: str) -> Iterator[list[SourceItem]]:
        with tf.io.gfile.GFile(path) as file:
            items = map(SourceItem.from_json, file.read().split('\n'))
            yield from _by_picture(items)


def _by_picture(items: Iterable[SourceItem]) -> list[list[SourceItem]]:
    """The boxes of each picture, which is then read and decoded once; other images alone."""
    lists: list[list[SourceItem]] = []
    of_picture: dict[str, list[SourceItem]] = {}
    for item in items:
        if item.box and item.path in of_picture:
            of_picture[item.path].append(item)
            continue
        lists.append([item])
        if item.box:
            of_picture[item.path] = lists[-1]
    return lists
