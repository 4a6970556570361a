"""The recipe as a whole: freeze, probe, thaw, keep the better; and data that allow no training."""

from __future__ import annotations

import logging
import math
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components import backbones
from components.backbones import backbone as backbone_lib
from components.errors import DataError
from components.training import checkpoint, dataset, params, recipe, scores
from tests.components.training import tiny

NAMES = ('cat', 'dog', 'owl', 'yak')


def train(
    folder: pathlib.Path,
    base: backbone_lib.Backbone | None = None,
    train_set: dataset.ImageSet | None = None,
    val_set: dataset.ImageSet | None = None,
    classes: int = 2,
    augmentation: params.AugmentationName = 'light',
    **tune: Any,
) -> recipe.Trained:
    settings = params.Training(
        batch_size=8, augmentation=augmentation, fine_tune=params.FineTune(**tune)
    )
    log = tf.summary.create_file_writer(str(folder / 'tensorboard'))
    trained = recipe.train(
        base or tiny.backbone(),
        NAMES[:classes],
        tiny.images(32, classes) if train_set is None else train_set,
        tiny.images(24, classes, seed=1) if val_set is None else val_set,
        settings,
        checkpoint.Checkpoint(folder / 'state', 'key'),
        log,
    )
    log.close()
    return trained


def weights(trained: recipe.Trained) -> list[np.ndarray]:
    return [np.array(w) for w in trained.classifier.model.get_weights()]


def assert_equal(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def shipped(trained: recipe.Trained, data: dataset.ImageSet) -> scores.Scores:
    return scores.score(trained.classifier.predict(data.pixels), data.labels)


def test_probe_leaves_every_weight_of_the_base_bitwise_equal(tmp_path: pathlib.Path) -> None:
    base = tiny.backbone()
    before = tiny.weights_of(base)
    trained = train(tmp_path, base, enabled=False)
    assert all(tiny.same(before, tiny.weights_of(base)).values())
    assert trained.kept == 'probe' and 'fine_tune' not in trained.record
    assert trained.record['probe']['val']['accuracy'] > 0.8
    assert not (tmp_path / 'state').exists()


def test_record_tells_what_the_shipped_weights_reach(tmp_path: pathlib.Path) -> None:
    val = tiny.images(24, seed=1)
    trained = train(tmp_path, val_set=val, epochs=2, blocks=1, learning_rate=1e-3)
    record = trained.record
    assert record['classes'] == ['cat', 'dog']
    assert record['images'] == {'train': 32, 'val': 24}
    assert record['kept'] == trained.kept
    found = shipped(trained, val)
    assert found.accuracy == record['val']['accuracy']
    assert found.log_loss == pytest.approx(record['val']['log_loss'], rel=1e-4)
    candidates = record['interpolation']
    assert list(candidates) == ['0', '0.25', '0.5', '0.75', '1']
    assert (candidates['0'], candidates['1']) == (
        record['probe']['val'],
        record['fine_tune']['val'],
    )
    reached = [scores.Scores(**candidate) for candidate in candidates.values()]
    best = scores.Scores(**record['val'])
    assert best in reached and not any(other.better_than(best) for other in reached)
    assert [epoch['epoch'] for epoch in record['fine_tune']['history']] == [1, 2]
    assert set(record['seconds']) == {'probe', 'fine_tune'}
    assert _curve(tmp_path / 'tensorboard') == [0, 1, 2]


def _curve(folder: pathlib.Path) -> list[int]:
    """The epochs for which TensorBoard has a val accuracy."""
    (file,) = folder.iterdir()
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    events = [tf.compat.v1.Event.FromString(record) for record in records]
    return [e.step for e in events for v in e.summary.value if v.tag == 'accuracy/val']


def test_probe_is_kept_where_fine_tuning_is_worse(tmp_path: pathlib.Path) -> None:
    """At a rate of 1 fine-tuning destroys the model; what ships is the probe, bit for bit."""
    probe_only = train(tmp_path / 'probe', enabled=False)
    base = tiny.backbone()
    before = tiny.weights_of(base)
    trained = train(
        tmp_path / 'tuned',
        base,
        enabled=True,
        epochs=2,
        blocks='all',
        learning_rate=1.0,
        block_decay=1.0,
        warmup=0.0,
    )
    assert trained.kept == trained.record['kept'] == 'probe'
    tuned, probe = trained.record['fine_tune']['val'], trained.record['probe']['val']
    assert tuned['accuracy'] < probe['accuracy']
    assert all(tiny.same(before, tiny.weights_of(base)).values())
    assert_equal(weights(trained), weights(probe_only))


def test_fine_tuned_model_is_kept_where_it_is_better(tmp_path: pathlib.Path) -> None:
    """A blind base: all its features are the same, so the probe guesses and thawing must help."""
    base = tiny.backbone()
    first = base.blocks[0].layers[0]
    first.set_weights([np.zeros(first.kernel.shape), np.zeros(8)])
    train_set = tiny.images(96)
    trained = train(
        tmp_path,
        base,
        train_set,
        augmentation='none',
        blocks='all',
        epochs=6,
        learning_rate=0.03,
        block_decay=1.0,
        dropout=0.0,
    )
    tuned, probe = trained.record['fine_tune']['val'], trained.record['probe']['val']
    assert probe['accuracy'] == 0.5
    assert tuned['accuracy'] > 0.6
    assert trained.kept in ('fine_tuned', 'interpolated')
    found = shipped(trained, tiny.images(24, seed=1)).accuracy
    assert found == trained.record['val']['accuracy'] >= tuned['accuracy']


def test_same_seed_same_weights(tmp_path: pathlib.Path) -> None:
    one, other = (
        train(tmp_path / str(i), epochs=1, blocks=2, learning_rate=1e-3) for i in range(2)
    )
    assert_equal(weights(one), weights(other))
    drop_seconds = [{**t.record, 'seconds': None} for t in (one, other)]
    assert drop_seconds[0] == drop_seconds[1]


def test_class_absent_from_val_trains(tmp_path: pathlib.Path) -> None:
    val = tiny.images(24, 3, seed=1)
    val = val.take(np.flatnonzero(val.labels != 1))
    trained = train(tmp_path, val_set=val, classes=3, epochs=1, blocks=1)
    assert trained.classifier.predict(val.pixels).shape == (16, 3)
    assert math.isfinite(trained.record['fine_tune']['val']['log_loss'])


def test_images_of_unknown_classes_do_not_take_part(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    def with_unknown(data: dataset.ImageSet) -> dataset.ImageSet:
        more = tiny.images(5, seed=9)
        return dataset.ImageSet(
            np.concatenate([more.pixels, data.pixels]),
            np.concatenate([np.full(5, -1), data.labels]),
            np.concatenate([more.ids, data.ids]),
        )

    expected = train(tmp_path / 'known', enabled=False)
    with caplog.at_level(logging.WARNING):
        found = train(
            tmp_path / 'unknown',
            train_set=with_unknown(tiny.images(32)),
            val_set=with_unknown(tiny.images(24, seed=1)),
            enabled=False,
        )
    assert_equal(weights(found), weights(expected))
    assert found.record['images'] == {'train': 32, 'val': 24}
    assert '5 train images' in caplog.text and '5 val images' in caplog.text


@pytest.mark.parametrize('label', [0, 1])
def test_train_of_one_class_is_refused(label: int, tmp_path: pathlib.Path) -> None:
    data = tiny.images(16)
    one = dataset.ImageSet(data.pixels, np.full(16, label), data.ids)
    with pytest.raises(DataError, match=rf"two classes.* only.*'{NAMES[label]}'"):
        train(tmp_path, train_set=one)


def test_class_without_train_images_is_named(tmp_path: pathlib.Path) -> None:
    data = tiny.images(16, 3)
    without = data.take(np.flatnonzero(data.labels != 1))
    with pytest.raises(DataError, match=r"train.*'dog'"):
        train(tmp_path, train_set=without, classes=3)


@pytest.mark.parametrize('split', ['train', 'val'])
@pytest.mark.parametrize('unknown', [False, True])
def test_split_without_usable_images_is_named(
    split: str, unknown: bool, tmp_path: pathlib.Path
) -> None:
    data = tiny.images(4)
    nothing = data.take(np.arange(0))
    if unknown:
        nothing = dataset.ImageSet(data.pixels, np.full(4, -1), data.ids)
    with pytest.raises(DataError, match=f'the {split} split has no image'):
        train(tmp_path, **{f'{split}_set': nothing})  # type: ignore[arg-type]


def test_real_backbone_freezes_and_thaws(tmp_path: pathlib.Path) -> None:
    """MobileNetV2, the smallest, with random weights: the same promises as the tiny base."""
    base = backbones.build('mobilenet_v2_035', 32, 'random')
    for layer in base.model.layers:
        if hasattr(layer, 'moving_mean'):
            layer.momentum = 0.0  # one pass in training mode gives statistics that fit the images
    data = tiny.images(24, side=32)
    base.model(data.pixels.astype(np.float32), training=True)
    before = tiny.weights_of(base)
    val = tiny.images(8, side=32, seed=1)
    trained = train(tmp_path, base, data, val, epochs=1, blocks=2, learning_rate=1e-3)
    unchanged = tiny.same(before, tiny.weights_of(base))
    thawed = {v.path for block in base.blocks[-2:] for layer in block.layers for v in layer.weights}
    assert all(is_same for path, is_same in unchanged.items() if path not in thawed)
    assert all(is_same for path, is_same in unchanged.items() if 'moving' in path)
    kernels = {path: same for path, same in unchanged.items() if 'kernel' in path}
    assert any(kernels[path] for path in kernels.keys() & thawed) is (trained.kept == 'probe')
