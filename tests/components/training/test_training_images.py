"""Reading a split: one order whatever the files, memory or disk; epochs as pure functions."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from thawline.components.augmentation import POLICIES
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import training_images
from thawline.components.training.targets import Targets
from thawline.components.transform import preprocessing

SIZE = 4


def an_image_set(n: int) -> LabelledSet:
    """n images of noise, labelled with their row, in the order of their ids."""
    rng = np.random.default_rng(n)
    pixels = rng.integers(0, 256, (n, SIZE, SIZE, 3)).astype(np.uint8)
    ids = np.array([f'{row:03}é'.encode() for row in range(n)], object)
    return LabelledSet(pixels, np.arange(n), ids, rng.uniform(0.1, 1, n).astype(np.float32))


def write(data: LabelledSet, shards: list[list[int]], folder: pathlib.Path) -> list[str]:
    """Writes the rows of each shard as Transform does; returns the pattern."""
    packed = preprocessing.pack(tf.constant(data.values)).numpy()
    for number, rows in enumerate(shards):
        path = folder / f'transformed_examples-{number:05}-of-{len(shards):05}.gz'
        with tf.io.TFRecordWriter(str(path), 'GZIP') as writer:
            for row in rows:
                values = {
                    preprocessing.PIXELS: _bytes(packed[row]),
                    preprocessing.IMAGE_ID: _bytes(data.ids[row]),
                    preprocessing.LABEL_INDEX: tf.train.Feature(
                        int64_list=tf.train.Int64List(value=[data.labels[row]])
                    ),
                    preprocessing.LABEL_CONFIDENCE: tf.train.Feature(
                        float_list=tf.train.FloatList(value=[data.confidence[row]])
                    ),
                }
                example = tf.train.Example(features=tf.train.Features(feature=values))
                writer.write(example.SerializeToString())
    return [str(folder / '*.gz')]


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def assert_same(found: LabelledSet, expected: LabelledSet) -> None:
    np.testing.assert_array_equal(found.values, expected.values, strict=True)
    np.testing.assert_array_equal(found.labels, expected.labels, strict=True)
    assert found.ids.tolist() == expected.ids.tolist()
    np.testing.assert_array_equal(found.confidence, expected.confidence, strict=True)


@pytest.mark.parametrize('shards', [1, 3])
def test_order_does_not_depend_on_the_files(shards: int, tmp_path: pathlib.Path) -> None:
    data = an_image_set(150)  # more than two batches of the reader
    rows = np.random.default_rng(shards).permutation(150)
    split = [part.tolist() for part in np.array_split(rows, shards)]
    assert_same(training_images.load(write(data, split, tmp_path), SIZE), data)


def test_empty_shards_are_fine(tmp_path: pathlib.Path) -> None:
    data = an_image_set(3)
    assert_same(training_images.load(write(data, [[], [2, 0], [], [1]], tmp_path), SIZE), data)


def test_pixels_on_disk_equal_pixels_in_memory(tmp_path: pathlib.Path) -> None:
    data = an_image_set(20)
    patterns = write(data, [list(range(19, -1, -1))], tmp_path)
    spool = tmp_path / 'spool' / 'train.npy'
    on_disk = training_images.load(patterns, SIZE, spool, in_memory_bytes=data.values.nbytes - 1)
    assert isinstance(on_disk.values, np.memmap)
    assert_same(dataclasses.replace(on_disk, values=np.asarray(on_disk.values)), data)
    np.testing.assert_array_equal(np.load(spool), data.values)
    in_memory = training_images.load(
        patterns, SIZE, tmp_path / 'no', in_memory_bytes=data.values.nbytes
    )
    assert not isinstance(in_memory.values, np.memmap)
    assert not (tmp_path / 'no').exists()
    assert_same(in_memory, data)
    epochs = [_epoch(source, seed=1, epoch=1) for source in (on_disk, in_memory)]
    np.testing.assert_array_equal(epochs[0][0], epochs[1][0])


@pytest.mark.parametrize('spooled', [False, True])
@pytest.mark.parametrize('written', [False, True])
def test_empty_split(spooled: bool, written: bool, tmp_path: pathlib.Path) -> None:
    patterns = write(an_image_set(1), [[]], tmp_path) if written else [str(tmp_path / '*.gz')]
    data = training_images.load(patterns, SIZE, tmp_path / 'spool.npy' if spooled else None)
    assert len(data) == 0
    assert data.values.shape == (0, SIZE, SIZE, 3)
    assert data.labels.dtype == np.int64
    batches = training_images.EpochBatches(data, 8, POLICIES['standard'], 0, one_hot(2))
    assert list(batches.epoch(1)) == []


def test_take_keeps_rows_together() -> None:
    data = an_image_set(5)
    some = data.take(np.array([3, 1]))
    assert len(some) == 2
    assert some.labels.tolist() == [3, 1]
    assert some.ids.tolist() == [data.ids[3], data.ids[1]]
    assert some.confidence.tolist() == data.confidence[[3, 1]].tolist()
    np.testing.assert_array_equal(some.values, data.values[[3, 1]])


def one_hot(classes: int, mix: str = 'none') -> Targets:
    return Targets(0.0, mix, np.ones(classes, np.float32), False)


def _targets_epoch(
    data: LabelledSet,
    seed: int,
    epoch: int,
    batch: int = 8,
    policy: str = 'standard',
    mix: str = 'none',
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and targets of a whole epoch; there are as many classes as images."""
    targets = one_hot(len(data), mix)
    batches = training_images.EpochBatches(data, batch, POLICIES[policy], seed, targets)
    pixels, distributions = zip(*batches.epoch(epoch).as_numpy_iterator(), strict=True)
    return np.concatenate(pixels), np.concatenate(distributions)


def _epoch(
    data: LabelledSet, seed: int, epoch: int, batch: int = 8, policy: str = 'standard'
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and labels of a whole epoch."""
    pixels, targets = _targets_epoch(data, seed, epoch, batch, policy)
    labels = targets.argmax(axis=1)
    np.testing.assert_array_equal(targets, np.eye(len(data), dtype=np.float32)[labels], strict=True)
    return pixels, labels


def test_epoch_is_a_function_of_seed_and_number() -> None:
    data = an_image_set(30)
    pixels, labels = _epoch(data, seed=1, epoch=2)
    again, labels_again = _epoch(data, seed=1, epoch=2)
    np.testing.assert_array_equal(pixels, again)
    np.testing.assert_array_equal(labels, labels_again)
    for seed, epoch in ((2, 2), (1, 3), (2, 1)):
        others, other_labels = _epoch(data, seed, epoch)
        assert (labels != other_labels).any()
        # Not only the order differs: the same image is augmented in another way.
        first, other = pixels[np.argsort(labels)], others[np.argsort(other_labels)]
        assert (first != other).any(axis=(1, 2, 3)).all()


def test_epochs_share_the_trace_of_a_side() -> None:
    data = an_image_set(6)
    traced = []

    class Recording(Targets):
        def batch(self, *arguments: Any) -> Any:
            traced.append(arguments[0].shape[1])
            return super().batch(*arguments)

    targets = Recording(0.0, 'none', np.ones(6, np.float32), False)
    batches = training_images.EpochBatches(data, 4, POLICIES['light'], 0, targets)
    for number in (1, 2, 3):
        for side in (None, SIZE // 2):
            assert len(list(batches.epoch(number, side))) == 2
    assert traced == [SIZE, SIZE // 2]


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(st.integers(1, 40), st.integers(1, 17), st.integers(0, 2**31 - 1))
def test_epoch_has_every_image_once(n: int, batch: int, seed: int) -> None:
    data = an_image_set(n)
    batches = training_images.EpochBatches(data, batch, POLICIES['none'], seed, one_hot(n))
    assert int(batches.epoch(1).cardinality()) == -(-n // batch)
    pixels, labels = _epoch(data, seed, 1, batch, 'none')
    assert sorted(labels.tolist()) == list(range(n))
    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels, data.values[labels])


def test_confidence_stays_with_its_image_through_the_shuffle() -> None:
    data = an_image_set(20)
    soft = Targets(0.0, 'none', np.ones(20, np.float32), True)
    batches = training_images.EpochBatches(data, 8, POLICIES['none'], 0, soft)
    pixels, targets = (np.concatenate(part) for part in zip(*batches.epoch(1), strict=True))
    rows = [int((data.values == image).all(axis=(1, 2, 3)).argmax()) for image in pixels]
    assert rows != sorted(rows)
    np.testing.assert_allclose(targets[np.arange(20), rows], data.confidence[rows], rtol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=1), 1.0, rtol=1e-6)


def test_labels_are_certain_by_default(tmp_path: pathlib.Path) -> None:
    data = an_image_set(3)
    certain = LabelledSet(data.values, data.labels, data.ids)
    np.testing.assert_array_equal(certain.confidence, np.ones(3, np.float32), strict=True)


@pytest.mark.parametrize('mix', ['mixup', 'cutmix'])
def test_blended_epoch_is_a_function_of_seed_and_number(mix: str) -> None:
    data = an_image_set(20)
    pixels, targets = _targets_epoch(data, seed=1, epoch=2, mix=mix)
    again = _targets_epoch(data, seed=1, epoch=2, mix=mix)
    np.testing.assert_array_equal(pixels, again[0])
    np.testing.assert_array_equal(targets, again[1])
    np.testing.assert_allclose(targets.sum(axis=1), 1.0, rtol=1e-5)
    # Over the epoch each image counts as much as without blending, however it was shared out.
    np.testing.assert_allclose(targets.sum(axis=0), 1.0, rtol=1e-5)
    assert (_targets_epoch(data, seed=1, epoch=3, mix=mix)[1] != targets).any()


def test_batches_of_an_epoch_are_blended_each_in_a_way_of_its_own() -> None:
    _, targets = _targets_epoch(an_image_set(20), seed=1, epoch=1, batch=4, mix='cutmix')
    own = targets.reshape(5, 4, 20).max(axis=2)
    assert (own == own[:, :1]).all()
    assert len(np.unique(own[:, 0])) > 1
