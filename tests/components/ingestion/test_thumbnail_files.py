"""Thumbnails are read as they were written: all of a file, or some by their places."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from thawline.components.ingestion import thumbnail_files
from thawline.components.ingestion.thumbnail import SIDE

COUNT = 130  # two full batches and a part of one


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE), np.uint8)


def image_id(number: int) -> str:
    return f'{number:0{thumbnail_files.ID_LENGTH}d}'


def write(path: pathlib.Path, pixels: np.ndarray, names: Sequence[str]) -> str:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, (picture, name) in enumerate(zip(pixels, names, strict=True)):
            writer.write(thumbnail_files.record(image_id(number), name, picture.tobytes()))
    return str(path)


def test_batches_have_all_of_a_file(tmp_path: pathlib.Path, pixels: np.ndarray) -> None:
    names = ['a/leaf_90deg.png', *(f'a/{n}.png' for n in range(1, COUNT))]
    path = write(tmp_path / 'file', pixels, names)
    batches = list(thumbnail_files.read_batches(7, path))
    assert [len(batch.ids) for batch in batches] == [64, 64, 2]
    assert {batch.shard for batch in batches} == {7}
    assert [image for batch in batches for image in batch.ids] == [*map(image_id, range(COUNT))]
    assert np.array_equal(np.concatenate([batch.pixels for batch in batches]), pixels)
    families = [family for batch in batches for family in batch.families]
    assert families == ['a/leaf', *(f'a/{n}' for n in range(1, COUNT))]


def test_full_batches_and_empty_files(tmp_path: pathlib.Path, pixels: np.ndarray) -> None:
    path = write(tmp_path / 'file', pixels[:64], ['x'] * 64)
    assert [len(batch.ids) for batch in thumbnail_files.read_batches(0, path)] == [64]
    empty = write(tmp_path / 'empty', pixels[:0], [])
    assert list(thumbnail_files.read_batches(0, empty)) == []


def test_thumbnails_of_some_places_of_several_files(
    tmp_path: pathlib.Path, pixels: np.ndarray
) -> None:
    halves = (pixels[:70], pixels[70:])
    shards = [
        write(tmp_path / f'{n}', half, ['x' * (n + 1)] * len(half)) for n, half in enumerate(halves)
    ]
    places = [
        (batch.shard, place)
        for number, path in enumerate(shards)
        for batch in thumbnail_files.read_batches(number, path)
        for place in batch.places
    ]
    rows = [100, 3, 129, 69, 70, 0, 3]
    read = thumbnail_files.read_at(shards, [places[row] for row in rows])
    assert read.dtype == np.uint8 and np.array_equal(read, pixels[rows])
    assert thumbnail_files.read_at(shards, []).shape == (0, SIDE, SIDE)
