"""Reads Transform's shards batch by batch, and estimates how many images they hold."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from thawline.components.shared.errors import DataError
from thawline.components.transform import examples
from thawline.components.transform.examples import PackedBatch

_FRAMING = 16  # bytes of length and checksums around a TFRecord


def read_batches(file: str, size: int) -> Iterator[PackedBatch]:
    """Reads one shard of transformed examples.

    Raises:
        DataError: it is damaged.
    """
    try:
        yield from examples.read_packed(file, size)
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        raise _damage_error(file, error) from error


def pixels(batch: PackedBatch, rows: Sequence[int], file: str) -> np.ndarray:
    """Pixels of some rows of a batch of a shard: uint8 [r, size, size, 3].

    Raises:
        DataError: they are no such pixels.
    """
    try:
        return batch.pixels(rows)
    except tf.errors.InvalidArgumentError as error:
        raise _damage_error(file, error) from error


def estimated_images(file: str) -> int:
    """How many images a shard holds, without decompressing it; for progress displays.

    All records of a shard have the same size up to a few bytes, and gzip keeps the size of the
    whole at its end (RFC 1952), modulo 4 GiB; the smallest is assumed that is not below the
    compressed size, which is a little larger where nothing is compressed.

    Raises:
        DataError: the file is damaged.
    """
    with tf.io.gfile.GFile(file, 'rb') as opened:
        compressed = opened.size()
        if compressed < 4:
            return 0
        opened.seek(compressed - 4)
        (size,) = struct.unpack('<I', opened.read(4))
    while size < 0.999 * compressed - 64:  # an empty shard is all header
        size += 2**32
    try:
        records = tf.data.TFRecordDataset(file, compression_type='GZIP').take(1)
        first = next(records.as_numpy_iterator(), None)
    except tf.errors.DataLossError as error:
        raise _damage_error(file, error) from error
    return 0 if first is None else round(size / (len(first) + _FRAMING))


def _damage_error(file: str, error: tf.errors.OpError) -> DataError:
    why = error.message.splitlines()[0]
    return DataError(f'{file} is damaged ({why}); recreate it with: thawline run --no-cache')
