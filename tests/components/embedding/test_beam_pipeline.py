"""The real pipeline on a small real base: what it embeds, and on what that does not depend."""

from __future__ import annotations

import dataclasses
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.components.embedding.embedding_run import (
    SETTINGS,
    SIZE,
    embed,
    image_ids,
    pictures,
    write_shard,
)
from thawline.components import augmentation, backbones
from thawline.components.embedding import embeddings
from thawline.components.shared import progress
from thawline.components.shared.content_store import Store

N = 70  # more than one batch of 64
CONFIDENCE = [(i % 4 + 1) / 4 for i in range(N)]


@dataclasses.dataclass(frozen=True)
class Done:
    """The pipeline's output for train (two shards) and val (one)."""

    uri: str
    seen: list[progress.Progress]
    weights_digest: str


@pytest.fixture(scope='module')
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp('embeddings')
    pixels, ids = pictures(N), image_ids(N)
    labels = [i % 3 for i in range(N)]
    files = {
        'train': [
            write_shard(folder / 'train-0.gz', pixels[:66], labels[:66], ids[:66], CONFIDENCE[:66]),
            write_shard(folder / 'train-1.gz', pixels[66:], labels[66:], ids[66:], CONFIDENCE[66:]),
        ],
        'val': [write_shard(folder / 'val-0.gz', pixels[:5], labels[:5], ids[:5])],
        'test': [write_shard(folder / 'test-0.gz', pixels[:0], [], [])],
    }
    seen: list[progress.Progress] = []
    with progress.listening(seen.append):
        base = embed(files, folder / 'out')
    return Done(str(folder / 'out'), seen, base.backbone.weights_digest)


@pytest.fixture(scope='module')
def base() -> keras.Model:
    """The same random base, built apart from the code under test."""
    keras.utils.set_random_seed(SETTINGS.seed)
    return backbones.build(SETTINGS.backbone, SIZE, 'random').model


def pooled(base: keras.Model, images: np.ndarray) -> np.ndarray:
    outputs: np.ndarray = tf.reduce_mean(base(images, training=False), axis=[1, 2]).numpy()
    return outputs


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal but for the last bits: convolutions add up in an order that depends on the batch.

    The tolerance is 1e-4 of the spread between images; the errors are a tenth of that or less.
    """
    spread = expected.reshape(-1, expected.shape[-1]).std(axis=0).max()
    assert spread > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * spread)


def test_plain_views_equal_the_bare_forward_pass(done: Done, base: keras.Model) -> None:
    train = embeddings.load(done.uri, 'train')
    order = np.argsort(np.array(image_ids(N), object))
    assert train.ids.tolist() == sorted(image_ids(N))
    assert train.labels.tolist() == [int(i) % 3 for i in order]
    assert train.confidence.tolist() == [CONFIDENCE[i] for i in order]
    assert train.values.shape == (N, 1 + SETTINGS.views, base.output_shape[-1])
    assert_close(train.values[:, 0], pooled(base, pictures(N)[order].astype(np.float32)))


def test_augmented_views_are_those_of_the_policy(done: Done, base: keras.Model) -> None:
    train = embeddings.load(done.uri, 'train')
    features = train.values
    images = pictures(N)[np.argsort(np.array(image_ids(N), object))]
    policy = augmentation.POLICIES[SETTINGS.augmentation]
    for view in (1, 2):
        draws = augmentation.view_draws(SETTINGS.seed, train.ids, view)
        assert_close(features[:, view], pooled(base, augmentation.augment(images, policy, draws)))
    assert (features[:, 0] != features[:, 1]).any(axis=1).all()
    assert (features[:, 1] != features[:, 2]).any(axis=1).all()


def test_only_train_has_views_and_empty_splits_are_fine(done: Done) -> None:
    train, val, test = (embeddings.load(done.uri, split) for split in ('train', 'val', 'test'))
    assert val.confidence.tolist() == [1.0] * 5
    assert val.values.shape[:2] == (5, 1) and len(val.labels) == len(val.ids) == 5
    assert_close(val.values[:, 0], train.values[np.isin(train.ids, val.ids), 0])
    assert test.values.shape == (0, 1, val.values.shape[-1])
    assert test.labels.shape == test.ids.shape == (0,)
    spec = embeddings.read_spec(done.uri)
    assert spec.counts == {'train': N, 'val': 5, 'test': 0}
    assert spec.weights_digest == done.weights_digest


def test_progress_counts_every_pass(done: Done) -> None:
    assert done.seen[-1].done == 3 * N + 5


def test_nothing_is_left_beside_the_embeddings(done: Done) -> None:
    files = [p.relative_to(done.uri) for p in pathlib.Path(done.uri).rglob('*') if p.is_file()]
    assert sorted(map(str, files)) == [
        'Split-train/embeddings-00000-of-00001',
        'Split-val/embeddings-00000-of-00001',
        'embeddings.json',
    ]


def test_neither_order_nor_shards_nor_batches_matter(done: Done, tmp_path: pathlib.Path) -> None:
    pixels, ids = pictures(N), image_ids(N)
    rows = np.random.default_rng(1).permutation(N)
    files = [
        write_shard(tmp_path / f'{number}.gz', pixels[part], part % 3, [ids[i] for i in part])
        for number, part in enumerate(np.array_split(rows, 7))
    ]
    embed({'train': files}, tmp_path / 'out')
    again = embeddings.load(str(tmp_path / 'out'), 'train')
    first = embeddings.load(done.uri, 'train')
    assert again.ids.tolist() == first.ids.tolist()
    np.testing.assert_array_equal(again.labels, first.labels)
    np.testing.assert_array_equal(again.values, first.values)


def test_same_files_give_the_same_bits(tmp_path: pathlib.Path) -> None:
    shard = write_shard(tmp_path / 's.gz', pictures(9), [0] * 9, image_ids(9))
    for name in ('a', 'b'):
        embed({'train': [shard]}, tmp_path / name)
    one, other = (embeddings.load(str(tmp_path / name), 'train').values for name in ('a', 'b'))
    np.testing.assert_array_equal(one, other, strict=True)


def test_another_seed_draws_other_views_of_the_same_images(tmp_path: pathlib.Path) -> None:
    weights = tmp_path / 'base.weights.h5'
    backbones.build(SETTINGS.backbone, SIZE, 'random').model.save_weights(weights)
    shard = write_shard(tmp_path / 's.gz', pictures(4), [0] * 4, image_ids(4))
    results = []
    for seed in (1, 2):
        settings = dataclasses.replace(SETTINGS, weights=str(weights), seed=seed)
        embed({'train': [shard]}, tmp_path / str(seed), settings)
        results.append(embeddings.load(str(tmp_path / str(seed)), 'train').values)
    np.testing.assert_array_equal(results[0][:, 0], results[1][:, 0])
    assert (results[0][:, 1:] != results[1][:, 1:]).any(axis=2).all()


def test_features_of_blocks_end_in_those_of_the_top(done: Done, tmp_path: pathlib.Path) -> None:
    pixels, ids = pictures(N), image_ids(N)
    shard = write_shard(tmp_path / 's.gz', pixels[:6], [0] * 6, ids[:6])
    embed({'val': [shard]}, tmp_path / 'out', dataclasses.replace(SETTINGS, features='blocks'))
    val, train = embeddings.load(str(tmp_path / 'out'), 'val'), embeddings.load(done.uri, 'train')
    blocks, top = val.values, train.values
    assert blocks.shape[2] > top.shape[2]
    assert_close(blocks[:, :, -top.shape[2] :], top[np.isin(train.ids, val.ids), :1])


def test_damaged_shard_is_named(tmp_path: pathlib.Path) -> None:
    shard = pathlib.Path(write_shard(tmp_path / 's.gz', pictures(9), [0] * 9, image_ids(9)))
    shard.write_bytes(shard.read_bytes()[:2000])
    with pytest.raises(Exception, match=r's\.gz is damaged .*--no-cache'):
        embed({'train': [str(shard)]}, tmp_path / 'out')


@pytest.mark.parametrize('views', (0, 2))
def test_features_are_the_same_bits_with_and_without_the_store(
    tmp_path: pathlib.Path, views: int
) -> None:
    pixels, ids = pictures(N), image_ids(N)
    labels = [i % 3 for i in range(N)]
    settings = dataclasses.replace(SETTINGS, views=views)
    files = {
        'train': [write_shard(tmp_path / 'a.gz', pixels[:60], labels[:60], ids[:60])],
        'val': [write_shard(tmp_path / 'b.gz', pixels[60:], labels[60:], ids[60:])],
    }
    few = {'train': [write_shard(tmp_path / 'c.gz', pixels[5:9], labels[5:9], ids[5:9])]}
    where = Store(tmp_path / 'store', 10**9).namespace('embeddings', {})
    runs = (('plain', files, None), ('few', few, where), ('more', files, where))
    for name, images, namespace in (*runs, ('again', files, where)):
        embed(images, tmp_path / name, settings, namespace=namespace)
    assert len(list(where.folder.glob('*.shard'))) == 2  # the last run added nothing
    for split in files:
        plain = embeddings.load(str(tmp_path / 'plain'), split)
        for name in ('more', 'again'):
            stored = embeddings.load(str(tmp_path / name), split)
            assert stored.digest() == plain.digest(), (split, name)
