"""The recipe as a whole: freeze, probe, thaw, keep the better; and data that allow no training."""

from __future__ import annotations

import logging
import math
import pathlib
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import tensorflow as tf

from components import backbones
from components.backbones import backbone as backbone_lib
from components.backbones.features import Features, feature_slices
from components.errors import DataError
from components.training import checkpoint, dataset, params, recipe, scores
from tests.components.training import tiny

NAMES = ('cat', 'dog', 'owl', 'yak')
Images = tuple[dataset.ImageSet, dataset.ImageSet]


def train(
    folder: pathlib.Path,
    base: backbone_lib.Backbone | None = None,
    train_set: dataset.ImageSet | None = None,
    val_set: dataset.ImageSet | None = None,
    classes: int = 2,
    augmentation: params.AugmentationName = 'light',
    mode: Literal['fine_tune', 'probe'] = 'fine_tune',
    budget: str | None = None,
    class_weights: Literal['none', 'balanced'] = 'none',
    kind: Features = 'top',
    images: Callable[[], Images] | None = None,
    **tune: Any,
) -> recipe.Trained:
    settings = params.Training(
        mode=mode,
        budget=budget,
        batch_size=8,
        augmentation=augmentation,
        class_weights=class_weights,
        fine_tune=params.FineTune(**tune),
    )
    base = base or tiny.backbone()
    train_set = tiny.images(32, classes) if train_set is None else train_set
    val_set = tiny.images(24, classes, seed=1) if val_set is None else val_set
    log = tf.summary.create_file_writer(str(folder / 'tensorboard'))
    trained = recipe.train(
        base,
        NAMES[:classes],
        tiny.embedded(base, train_set, val_set, augmentation, kind),
        images or (lambda: (train_set, val_set)),
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


def without_seconds(value: Any) -> Any:
    """A record without what the clock said."""
    if isinstance(value, dict):
        return {k: without_seconds(v) for k, v in value.items() if k != 'seconds'}
    return [without_seconds(v) for v in value] if isinstance(value, list) else value


def shipped(trained: recipe.Trained, data: dataset.ImageSet) -> scores.Scores:
    return scores.score(trained.classifier.predict(data.pixels), data.labels)


def no_images() -> Images:
    """For a training that has to do without."""
    raise AssertionError('the images were asked for')


def test_probe_leaves_every_weight_of_the_base_bitwise_equal(tmp_path: pathlib.Path) -> None:
    base = tiny.backbone()
    before = tiny.weights_of(base)
    trained = train(tmp_path, base, mode='probe', images=no_images)
    assert all(tiny.same(before, tiny.weights_of(base)).values())
    assert trained.kept == 'probe' and 'fine_tune' not in trained.record
    assert trained.record['probe']['val']['accuracy'] > 0.8
    assert trained.record['left_out'] == []
    assert set(trained.record['seconds']) == {'probe'}
    assert not (tmp_path / 'state').exists()
    found = shipped(trained, tiny.images(24, seed=1))
    assert found.accuracy == trained.record['val']['accuracy']
    assert found.log_loss == pytest.approx(trained.record['val']['log_loss'], rel=1e-4)


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
    assert set(record['seconds']) == {'probe', 'read', 'fine_tune'}
    assert _curve(tmp_path / 'tensorboard') == [0, 1, 2]


def _curve(folder: pathlib.Path) -> list[int]:
    """The epochs for which TensorBoard has a val accuracy."""
    (file,) = folder.iterdir()
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    events = [tf.compat.v1.Event.FromString(record) for record in records]
    return [e.step for e in events for v in e.summary.value if v.tag == 'accuracy/val']


def test_probe_is_kept_where_fine_tuning_is_worse(tmp_path: pathlib.Path) -> None:
    """At a rate of 1 fine-tuning destroys the model; what ships is the probe, bit for bit."""
    probe_only = train(tmp_path / 'probe', mode='probe')
    base = tiny.backbone()
    before = tiny.weights_of(base)
    trained = train(
        tmp_path / 'tuned',
        base,
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


def test_probe_is_kept_with_the_statistics_that_it_saw(tmp_path: pathlib.Path) -> None:
    """Fine-tuned towards exchanged labels, with statistics that move and weights that average."""
    probe_only = train(tmp_path / 'probe', mode='probe')
    train_set = tiny.images(32)
    wrong = dataset.ImageSet(train_set.pixels, 1 - train_set.labels, train_set.ids)
    base = tiny.backbone()
    before = tiny.weights_of(base)
    trained = train(
        tmp_path / 'tuned',
        base,
        images=lambda: (wrong, tiny.images(24, seed=1)),
        epochs=3,
        blocks='all',
        learning_rate=0.03,
        batch_norm='updated',
        average=0.2,
    )
    assert trained.record['fine_tune']['val']['accuracy'] < 0.5
    assert trained.kept == 'probe'
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
    assert without_seconds(one.record) == without_seconds(other.record)


def test_budget_for_everything_changes_nothing(tmp_path: pathlib.Path) -> None:
    chosen: dict[str, Any] = {'epochs': 2, 'blocks': 2, 'learning_rate': 1e-3}
    free = train(tmp_path / 'free', **chosen)
    limited = train(tmp_path / 'limited', budget='5h', **chosen)
    assert_equal(weights(limited), weights(free))
    assert without_seconds(limited.record) == without_seconds(free.record)
    assert limited.record['left_out'] == []
    assert limited.record['fine_tune']['epochs'] == 2
    assert limited.record['fine_tune']['blocks'] == 2


def test_without_time_for_fine_tuning_the_probe_is_kept(tmp_path: pathlib.Path) -> None:
    probe_only = train(tmp_path / 'probe', mode='probe')
    base = tiny.backbone()
    before = tiny.weights_of(base)
    trained = train(tmp_path / 'hurried', base, budget='0.001s', epochs=2)
    assert trained.kept == trained.record['kept'] == 'probe'
    assert trained.record['left_out'] == ['fine-tuning']
    assert 'fine_tune' not in trained.record
    assert trained.record['val'] == probe_only.record['val']
    assert trained.rule == probe_only.rule
    assert all(tiny.same(before, tiny.weights_of(base)).values())
    assert_equal(weights(trained), weights(probe_only))


def test_balanced_classes_find_more_of_the_rare_one(tmp_path: pathlib.Path) -> None:
    """In the probe; `test_fine_tune` shows it for the second phase."""
    data = tiny.images(96)
    rare = data.take(np.flatnonzero((data.labels == 0) | (np.arange(96) % 16 == 1)))
    val = tiny.images(48, seed=1)

    def recall(weighting: Literal['none', 'balanced']) -> float:
        trained = train(
            tmp_path / weighting,
            train_set=rare,
            val_set=val,
            class_weights=weighting,
            mode='probe',
        )
        found = trained.classifier.predict(val.pixels).argmax(axis=1)
        return float((found == val.labels)[val.labels == 1].mean())

    assert recall('balanced') > recall('none') + 0.1


def test_class_weights_reach_both_phases(tmp_path: pathlib.Path) -> None:
    data = tiny.images(48)
    rare = data.take(np.flatnonzero((data.labels == 0) | (np.arange(48) % 8 == 1)))
    chosen: dict[str, Any] = {'train_set': rare, 'epochs': 1, 'blocks': 1, 'learning_rate': 1e-9}
    plain = train(tmp_path / 'plain', **chosen).record
    balanced = train(tmp_path / 'balanced', class_weights='balanced', **chosen).record
    assert plain['probe'] != balanced['probe']
    losses = [r['fine_tune']['history'][0]['train_loss'] for r in (plain, balanced)]
    assert losses[1] > losses[0]  # that of the rare class, which is worse learnt, weighs more


def test_class_absent_from_val_trains(tmp_path: pathlib.Path) -> None:
    val = tiny.images(24, 3, seed=1)
    val = val.take(np.flatnonzero(val.labels != 1))
    trained = train(tmp_path, val_set=val, classes=3, epochs=1, blocks=1)
    assert trained.classifier.predict(val.pixels).shape == (16, 3)
    assert math.isfinite(trained.record['fine_tune']['val']['log_loss'])


@pytest.mark.parametrize('mode', ['probe', 'fine_tune'])
def test_images_of_unknown_classes_do_not_take_part(
    mode: Literal['fine_tune', 'probe'], tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    def with_unknown(data: dataset.ImageSet) -> dataset.ImageSet:
        more = tiny.images(5, seed=9)
        return dataset.ImageSet(
            np.concatenate([more.pixels, data.pixels]),
            np.concatenate([np.full(5, -1), data.labels]),
            np.concatenate([more.ids, data.ids]),
        )

    expected = train(tmp_path / 'known', mode=mode, epochs=1, blocks=1)
    with caplog.at_level(logging.WARNING):
        found = train(
            tmp_path / 'unknown',
            train_set=with_unknown(tiny.images(32)),
            val_set=with_unknown(tiny.images(24, seed=1)),
            mode=mode,
            epochs=1,
            blocks=1,
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


@pytest.mark.parametrize('kind', ['top', 'blocks'])
def test_real_backbone_freezes_and_thaws(kind: Features, tmp_path: pathlib.Path) -> None:
    """MobileNetV2, the smallest, with random weights: the same promises as the tiny base."""
    base = backbones.build('mobilenet_v2_035', 32, 'random')
    for layer in base.model.layers:
        if hasattr(layer, 'moving_mean'):
            layer.momentum = 0.0  # one pass in training mode gives statistics that fit the images
    data = tiny.images(24, side=32)
    base.model(data.pixels.astype(np.float32), training=True)
    before = tiny.weights_of(base)
    val = tiny.images(8, side=32, seed=1)
    trained = train(tmp_path, base, data, val, epochs=1, blocks=2, learning_rate=1e-3, kind=kind)
    assert trained.classifier.head.kernel.shape[0] == feature_slices(base, kind)[-1][1].stop
    found = shipped(trained, val)
    assert found.accuracy == trained.record['val']['accuracy']
    assert found.log_loss == pytest.approx(trained.record['val']['log_loss'], rel=1e-3)
    unchanged = tiny.same(before, tiny.weights_of(base))
    thawed = {v.path for block in base.blocks[-2:] for layer in block.layers for v in layer.weights}
    assert all(is_same for path, is_same in unchanged.items() if path not in thawed)
    assert all(is_same for path, is_same in unchanged.items() if 'moving' in path)
    kernels = {path: same for path, same in unchanged.items() if 'kernel' in path}
    assert any(kernels[path] for path in kernels.keys() & thawed) is (trained.kept == 'probe')
